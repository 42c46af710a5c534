// Domains as they are compared: lower-case A-labels, no trailing dot (contract, Relay Service 7).
import { domainToASCII } from "node:url";

const PLAIN_ASCII = /^[a-z0-9.-]+$/;
/** What the host parser of URLs would rewrite: percent-escapes, and numbers that it reads as IPv4 addresses. */
const NOT_A_NAME = /[%/\\?#@:[\]\s]/;

/** A domain as lower-case A-labels, or undefined where it is none. */
export function toALabels(domain: string): string | undefined {
  // After the conversion: it makes dots of some other characters.
  const name = asciiOf(domain.toLowerCase()).replace(/\.$/, "");
  return name === "" || name.endsWith(".") ? undefined : name;
}

/** Empty where it has no ASCII form. */
function asciiOf(lower: string): string {
  if (PLAIN_ASCII.test(lower) && !lower.includes("xn--")) return lower;
  return NOT_A_NAME.test(lower) ? "" : domainToASCII(lower);
}

/** The domain of a bare address as lower-case A-labels; undefined where there is none. An address literal is kept as it is. */
export function domainOf(address: string): string | undefined {
  const at = address.lastIndexOf("@");
  if (at <= 0) return undefined;
  const domain = address.slice(at + 1);
  return domain.startsWith("[") && domain.endsWith("]") ? domain.toLowerCase() : toALabels(domain);
}
