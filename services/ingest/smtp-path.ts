// MAIL FROM:<path> and RCPT TO:<path> (RFC 5321 §4.1.2, RFC 6531): the path as it was given, and what stands behind it.
import { domainOf, toALabels } from "#shared/email/domain-name.ts";

export interface PathCommand {
  /** The bare address; "" is the null path. */
  path: string;
  /** The ESMTP parameters, still unread. */
  parameters: string;
}

const MOST_LOCAL_BYTES = 64;
const MOST_PATH_BYTES = 254;
const DOT_STRING =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+)*$/u;
const QUOTED_STRING = /^"(?:[ !#-[\]-~\u0080-\u{10ffff}]|\\[ -~])*"$/u;
const NAME = /^(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/;
const ADDRESS_LITERAL = /^\[(?:[0-9.]{7,15}|IPv6:[0-9A-Fa-f:.]{2,45})\]$/i;
/** Controls, and what is invisible and so misleads: zero-width space, word joiner, byte order mark, replacement character. */
const UNSAFE = /[\p{Cc}\u200b\u2060\ufeff\ufffd]/u;
const SOURCE_ROUTE = /^@[^\s,:@]+(?:,@[^\s,:@]+)*:/;

/** Index of the `>` that ends the path that begins at 0; one inside a quoted string does not. */
function endOfPath(text: string): number {
  let isQuoted = false;
  for (let at = 1; at < text.length; at += 1) {
    if (isQuoted && text[at] === "\\") at += 1;
    else if (text[at] === '"') isQuoted = !isQuoted;
    else if (!isQuoted && text[at] === ">") return at;
  }
  return -1;
}

function isMailbox(path: string): boolean {
  const at = path.lastIndexOf("@");
  const local = path.slice(0, at);
  const domain = path.slice(at + 1);
  if (at < 1 || Buffer.byteLength(local) > MOST_LOCAL_BYTES || Buffer.byteLength(path) > MOST_PATH_BYTES) return false;
  if (!DOT_STRING.test(local) && !QUOTED_STRING.test(local)) return false;
  return ADDRESS_LITERAL.test(domain) || (!domain.endsWith(".") && NAME.test(toALabels(domain) ?? ""));
}

/** The path of a command, or undefined where it is none. `verb` is `MAIL FROM` or `RCPT TO`. */
export function parsePathCommand(verb: string, command: string): PathCommand | undefined {
  const colon = command.indexOf(":");
  if (colon === -1 || command.slice(0, colon).trim().toUpperCase() !== verb) return undefined;
  const text = command.slice(colon + 1).trim();
  const end = text.startsWith("<") ? endOfPath(text) : -1;
  const parameters = text.slice(end + 1);
  if (end === -1 || UNSAFE.test(text) || (parameters !== "" && !parameters.startsWith(" "))) return undefined;
  const path = text.slice(1, end).replace(SOURCE_ROUTE, "");
  return path === "" || isMailbox(path) ? { path, parameters: parameters.trim() } : undefined;
}

/** Each mailbox once, as it was first given: domains compare without regard to case, local parts with it (RFC 5321 §2.4). */
export function distinctPaths(paths: readonly string[]): string[] {
  const mailboxes = new Map<string, string>();
  for (const path of paths) {
    const mailbox = `${path.slice(0, path.lastIndexOf("@"))}@${domainOf(path)}`;
    if (!mailboxes.has(mailbox)) mailboxes.set(mailbox, path);
  }
  return [...mailboxes.values()];
}
