// What a mail server says: its reply read, cleaned of what a log or a notification must not carry, and bounded.
import type { EnhancedStatusCode } from "./enhanced-status-code.ts";
import { formatEnhancedStatusCode, parseEnhancedStatusCode } from "./enhanced-status-code.ts";

export interface Reply {
  code: number;
  enhanced: EnhancedStatusCode | undefined;
  /** On one line, cleaned and bounded: "250 2.0.0 Ok: queued as 3yFnZW2mNlzPk9y". */
  text: string;
}

export const LONGEST_TEXT = 500;
const LONGEST_QUEUE_ID = 120;
const LINE = /^(\d{3})(?:[ -](.*))?$/s;
/** Control characters, line and paragraph separators, and what turns the direction of a text. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/g;

/** Foreign text on one line, without control characters, at most 500 characters. */
export function cleanText(text: string, longest = LONGEST_TEXT): string {
  const clean = text
    .slice(0, longest * 8)
    .replace(UNPRINTABLE, " ")
    .replace(/\s+/g, " ")
    .trim()
    .toWellFormed();
  return clean.length <= longest ? clean : `${clean.slice(0, longest - 1).toWellFormed()}…`;
}

/** Reads a reply of one or several lines; undefined where it is none, or says two things at once (RFC 5321 §4.2.1). */
export function parseReply(raw: string): Reply | undefined {
  const lines = raw
    .slice(0, LONGEST_TEXT * 8)
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => LINE.exec(line));
  const first = lines[0];
  if (first === null || first === undefined) return undefined;
  const code = Number(first[1]);
  const isOfOneClass = lines.every((line) => line === null || line[1]?.[0] === first[1]?.[0]);
  if (!isOfOneClass) return undefined;
  const enhanced = parseEnhancedStatusCode(first[2] ?? "");
  const prefix = enhanced === undefined ? "" : formatEnhancedStatusCode(enhanced);
  const texts = lines.flatMap((line) => (line === null ? [] : [withoutPrefix(line[2] ?? "", prefix)]));
  return { code, enhanced, text: cleanText([code, prefix, ...texts].filter((part) => part !== "").join(" ")) };
}

function withoutPrefix(text: string, prefix: string): string {
  return prefix !== "" && text.startsWith(prefix) ? text.slice(prefix.length).trim() : text.trim();
}

/** How servers name their own queue id in the 250 to the final dot. The first that matches counts. */
const QUEUE_IDS: readonly { server: string; pattern: RegExp }[] = [
  { server: "Postfix", pattern: /\bqueued as ([A-Za-z0-9]+)/i },
  { server: "Exchange", pattern: /\[InternalId=(\d+)/i },
  { server: "Exim", pattern: /\bid=([A-Za-z0-9]+(?:-[A-Za-z0-9]+)+)/ },
  { server: "Sendmail", pattern: /(\S+) Message accepted for delivery/i },
  { server: "Gmail", pattern: /\bOK\s+(?:\d+\s+)?(\S+) - gsmtp\b/i },
  { server: "SES", pattern: /^250 (?:2\.\d+\.\d+ )?Ok ([0-9a-f]{8,}(?:-[0-9a-f]+)+)$/i },
];

/** The relay's own queue id in its reply to the final dot: best effort, the whole reply is kept beside it. */
export function remoteQueueIdOf(text: string): string | undefined {
  for (const { pattern } of QUEUE_IDS) {
    const id = pattern.exec(text)?.[1];
    if (id !== undefined) return id.slice(0, LONGEST_QUEUE_ID);
  }
  return undefined;
}
