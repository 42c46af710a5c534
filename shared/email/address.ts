// Email addresses as people and programs write them: read, told right from wrong. Internationalised domains
// (IDNA, as A-labels) and local parts (SMTPUTF8, RFC 6531) included; address literals and bare host names are no addresses here.
import { domainToUnicode } from "node:url";
import { toALabels } from "./domain-name.ts";
import { isLocalPart } from "./local-part.ts";
import { unquoted, withoutQuotedStrings } from "./quoted-string.ts";

/** What stands in a field: `Name <box@example.com>`, or the address alone. Nothing is checked. */
export interface Mailbox {
  name: string | undefined;
  /** The bare address as it was given. */
  address: string;
}

export interface Address {
  local: string;
  /** Lower-case A-labels. */
  domain: string;
  /** The local part is outside ASCII: whoever takes the address must know SMTPUTF8. */
  needsSmtpUtf8: boolean;
}

const MAX_LOCAL_OCTETS = 64;
const MAX_DOMAIN_LENGTH = 253;
const MAX_ADDRESS_OCTETS = 254;

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Letters, marks and digits of any script, hyphens and dots; joiners within Indic and Arabic labels. */
const DOMAIN_TEXT = /^(?:[\p{L}\p{M}\p{N}.-]|\u200c|\u200d)+$/u;

/** One in angle brackets, or an address that a list goes on behind. */
const MAILBOX = /<[^<>]*>|[^\s<]@[^\s@,;]+\.[^\s.,;]+\s*[,;]/;

/** Whether a display name holds a mailbox of its own; within quotes it is text, and some people's name is their address. */
function holdsMailbox(name: string): boolean {
  // Ordinary names are told at once.
  return /[@>]/.test(name) && MAILBOX.test(withoutQuotedStrings(name));
}

/** Splits a field into display name and address. Total: whatever is not one `Name <address>` is taken for an address. */
export function parseMailbox(text: string): Mailbox {
  const trimmed = text.trim();
  const open = trimmed.lastIndexOf("<");
  if (open === -1 || !trimmed.endsWith(">")) return { name: undefined, address: trimmed };
  const name = trimmed.slice(0, open).trim();
  if (holdsMailbox(name)) return { name: undefined, address: trimmed };
  return { name: unquoted(name) || undefined, address: trimmed.slice(open + 1, -1).trim() };
}

/** A domain of at least two labels as lower-case A-labels, or undefined where a name on the Internet cannot look like that. */
export function parseDomain(domain: string): string | undefined {
  if (!DOMAIN_TEXT.test(domain)) return undefined;
  const ascii = domain.endsWith(".") ? undefined : toALabels(domain);
  if (ascii === undefined || ascii.length > MAX_DOMAIN_LENGTH) return undefined;
  const labels = ascii.split(".");
  const top = labels.at(-1) ?? "";
  if (labels.length < 2 || /^[0-9]+$/.test(top) || !labels.every((label) => LABEL.test(label))) return undefined;
  return labels.some((label) => label.startsWith("xn--")) && !isReadable(ascii) ? undefined : ascii;
}

/** Whether A-labels stand for letters that a domain may have, and not just look encoded. */
function isReadable(ascii: string): boolean {
  const unicode = domainToUnicode(ascii);
  return DOMAIN_TEXT.test(unicode) && !unicode.split(".").some((label) => label.startsWith("xn--"));
}

/** The parts of a bare address, or undefined where it is not valid. */
export function parseAddress(address: string): Address | undefined {
  const at = address.lastIndexOf("@");
  if (at < 1 || Buffer.byteLength(address) > MAX_ADDRESS_OCTETS) return undefined;
  const local = address.slice(0, at);
  const domain = parseDomain(address.slice(at + 1));
  if (domain === undefined || Buffer.byteLength(local) > MAX_LOCAL_OCTETS) return undefined;
  if (!isLocalPart(local)) return undefined;
  return { local, domain, needsSmtpUtf8: /\P{ASCII}/u.test(local) };
}

export function isValidAddress(address: string): boolean {
  return parseAddress(address) !== undefined;
}

/** A valid address as SMTP envelopes and header fields carry it: an internationalised domain as A-labels. Others as they are. */
export function wireAddress(address: string): string {
  const at = address.lastIndexOf("@");
  const domain = address.slice(at + 1);
  if (at < 1 || /^\p{ASCII}*$/u.test(domain)) return address;
  return `${address.slice(0, at)}@${parseDomain(domain) ?? domain}`;
}
