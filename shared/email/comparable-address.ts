// Addresses as they are compared, in routing, the suppression list and the record.
import { domainOf } from "./domain-name.ts";
import { comparableLocalPart } from "./local-part.ts";

/** One spelling for each address: compares without regard to case and needless quotes, U-labels equal to their A-labels. */
export function comparableAddress(address: string): string {
  const at = address.lastIndexOf("@");
  if (at === -1) return comparableLocalPart(address);
  return `${comparableLocalPart(address.slice(0, at))}@${domainOf(address) ?? address.slice(at + 1).toLowerCase()}`;
}
