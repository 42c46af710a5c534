// A client's address in one form, whichever door it comes by: a listener of both families tells of 192.0.2.1 as ::ffff:192.0.2.1.
import ipaddr from "ipaddr.js";

export type ClientAddress = ipaddr.IPv4 | ipaddr.IPv6;
/** An address and the number of its leading bits that count. */
export type ClientNetwork = readonly [ClientAddress, number];

const MAPPED_PREFIX_BITS = 96;

/** IPv4 within IPv6 as IPv4; undefined for a text that is no address. */
export function parseClientAddress(text: string): ClientAddress | undefined {
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

export function normalAddress(text: string): string {
  return parseClientAddress(text)?.toString() ?? text;
}

/** A network of clients in CIDR notation, in the form that their addresses have; a single address is a network of one. */
export function parseClientNetwork(cidr: string): ClientNetwork {
  if (!cidr.includes("/")) {
    const address = ipaddr.process(cidr);
    return [address, address.kind() === "ipv4" ? 32 : 128];
  }
  const [address, bits] = ipaddr.parseCIDR(cidr);
  const isMapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= MAPPED_PREFIX_BITS;
  return isMapped ? [address.toIPv4Address(), bits - MAPPED_PREFIX_BITS] : [address, bits];
}
