// The local part of an address (RFC 5321 §4.1.2, RFC 6531): told right from wrong, and one spelling for each.
import { unquoted } from "./quoted-string.ts";

/** atext of RFC 5322 §3.2.3, and by RFC 6531 what is outside ASCII but for separators, controls and what is not assigned. */
const ATOM = String.raw`(?:[A-Za-z0-9!#$%&'*+\-/=?^_\x60{|}~]|\u200c|\u200d|[^\p{ASCII}\p{Z}\p{C}])+`;
const DOT_ATOM = new RegExp(String.raw`^${ATOM}(?:\.${ATOM})*$`, "u");
/** qtext and quoted pairs, printable. */
const QUOTED_STRING = /^"(?:[ !#-[\]-~]|\\[ -~]|[^\p{ASCII}\p{Z}\p{C}])*"$/u;

export function isLocalPart(text: string): boolean {
  return DOT_ATOM.test(text) || QUOTED_STRING.test(text);
}

/** In lower case, and quoted only where it has to be: `"sales"` is the mailbox `sales`. */
export function comparableLocalPart(local: string): string {
  const lower = local.normalize("NFC").toLowerCase();
  const bare = unquoted(lower);
  if (bare === lower || DOT_ATOM.test(bare)) return bare;
  return `"${bare.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
