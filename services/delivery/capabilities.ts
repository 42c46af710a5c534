// What a server says it can do in its reply to EHLO.

export interface Capabilities {
  /** Largest mail in bytes; undefined where it names none. */
  size: number | undefined;
  eightBitMime: boolean;
  smtpUtf8: boolean;
  startTls: boolean;
  /** SASL mechanisms; undefined where AUTH is not offered. */
  auth: readonly string[] | undefined;
}

export const NO_CAPABILITIES: Capabilities = {
  size: undefined,
  eightBitMime: false,
  smtpUtf8: false,
  startTls: false,
  auth: undefined,
};

export function readCapabilities(ehloReply: string): Capabilities {
  const lines = ehloReply
    .split(/\r?\n/)
    .slice(1)
    .map((line) =>
      line
        .replace(/^\d{3}[ -]/, "")
        .trim()
        .toUpperCase()
        .split(/[\s=]+/),
    );
  const find = (name: string): readonly string[] | undefined => lines.find(([keyword]) => keyword === name)?.slice(1);
  const size = Number(find("SIZE")?.[0] ?? 0);
  return {
    size: Number.isSafeInteger(size) && size > 0 ? size : undefined,
    eightBitMime: find("8BITMIME") !== undefined,
    smtpUtf8: find("SMTPUTF8") !== undefined,
    startTls: find("STARTTLS") !== undefined,
    auth: find("AUTH"),
  };
}
