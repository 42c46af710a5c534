// Text in other charsets: what a JobRequest's `charset` may name, and how such text is read and written.
import iconv from "iconv-lite";

const UTF_8 = /^utf-?8$/i;

/** Whether text in this charset can be read. */
export function isKnownCharset(charset: string): boolean {
  if (UTF_8.test(charset) || iconv.encodingExists(charset)) return true;
  try {
    return new TextDecoder(charset).encoding !== "";
  } catch {
    return false;
  }
}

/** The platform's UTF-16 is little-endian whatever the mark says, which Java writes big-endian (RFC 2781 §4.3). */
function labelOf(charset: string, [first, second]: Uint8Array): string {
  if (UTF_8.test(charset)) return "utf-8";
  return /^utf-?16$/i.test(charset) && first === 0xfe && second === 0xff ? "utf-16be" : charset;
}

/** The text of bytes in a known charset; undefined where they are no text in it. */
export function decodeBytes(bytes: Uint8Array, charset: string): string | undefined {
  const label = labelOf(charset, bytes);
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch (error) {
    // A RangeError: no charset of the platform; iconv-lite knows some more.
    return error instanceof RangeError && iconv.encodingExists(charset)
      ? iconv.decode(Buffer.from(bytes), charset)
      : undefined;
  }
}

/** Text as it goes into a MIME part: in the wanted charset where that can hold all of it and is a superset of ASCII, otherwise in UTF-8. */
export function encodeText(text: string, charset: string): { charset: string; bytes: Buffer } {
  const utf8 = (): { charset: string; bytes: Buffer } => ({ charset: "utf-8", bytes: Buffer.from(text, "utf8") });
  if (UTF_8.test(charset) || !/^[A-Za-z0-9._:+-]+$/.test(charset) || !iconv.encodingExists(charset)) return utf8();
  const isAsciiSuperset = iconv.encode("Az09=\r\n", charset).toString("latin1") === "Az09=\r\n";
  if (!isAsciiSuperset || /^(utf-?7|iso-2022|hz)/i.test(charset)) return utf8();
  const bytes = iconv.encode(text, charset);
  return iconv.decode(bytes, charset) === text ? { charset: charset.toLowerCase(), bytes } : utf8();
}
