// The one line that ingest adds on top of a message (RFC 5321 §4.4), and the count that finds loops.

/** Received lines at which a message is taken to run in a circle (design, Ways in). */
export const MOST_RECEIVED_LINES = 50;

export interface ReceivedFacts {
  /** What the client called itself in EHLO. */
  helo: string;
  remoteAddress: string;
  hostname: string;
  isEsmtp: boolean;
  isSecure: boolean;
  isAuthenticated: boolean;
  isSmtpUtf8: boolean;
  /** Of this transaction. */
  id: string;
  at: Date;
}

/** `with` as RFC 3848 and RFC 6531 §4.3 name it: ESMTPSA, UTF8SMTPS. */
function protocolOf(facts: ReceivedFacts): string {
  const base = facts.isSmtpUtf8 ? "UTF8SMTP" : facts.isEsmtp ? "ESMTP" : "SMTP";
  return `${base}${facts.isSecure ? "S" : ""}${facts.isAuthenticated ? "A" : ""}`;
}

/** RFC 5322 date in UTC: `Tue, 24 Nov 2026 20:18:00 +0000`. */
function dateOf(at: Date): string {
  return at.toUTCString().replace(/GMT$/, "+0000");
}

/** A name that cannot break out of its place in the line. */
function cleanName(name: string): string {
  return /^[A-Za-z0-9._:[\]-]{1,255}$/.test(name) ? name : "unknown";
}

/** An address as RFC 5321 §4.1.3 writes it. */
function literalOf(address: string): string {
  return address.includes(":") ? `[IPv6:${address}]` : `[${address}]`;
}

export function receivedLine(facts: ReceivedFacts): string {
  return [
    `Received: from ${cleanName(facts.helo)} (${literalOf(facts.remoteAddress)})`,
    `\tby ${facts.hostname} with ${protocolOf(facts)} id ${facts.id};`,
    `\t${dateOf(facts.at)}`,
    "",
  ].join("\r\n");
}
