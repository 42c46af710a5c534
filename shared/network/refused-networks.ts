// Which addresses Waypost may connect to: public unicast ones, and those of WAYPOST_ALLOW_NETWORKS.
// An address is judged as what it reaches: IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4, Teredo) is unwrapped first.
import ipaddr from "ipaddr.js";
import { hostOutOfUrl } from "./host-in-url.ts";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Answers for an address in any notation; a text that is no address is refused. */
export type AddressCheck = (address: string) => boolean;

/** Addresses of public ranges that are a machine's own metadata service (Azure). */
const METADATA = ["168.63.129.16"];
const EMBEDDED_AT_END = ["64:ff9b::/96", "::/96"].map((cidr) => ipaddr.IPv6.parseCIDR(cidr));
const SIX_TO_FOUR = ipaddr.IPv6.parseCIDR("2002::/16");
const TEREDO = ipaddr.IPv6.parseCIDR("2001::/32");
/** RFC 8215: where the IPv4 address stands in it is a local matter, so nothing in it is known to be public. */
const LOCAL_NAT64 = ipaddr.IPv6.parseCIDR("64:ff9b:1::/48");

function parseAddress(text: string): Address | undefined {
  const bare = hostOutOfUrl(text).replace(/%.*$/, "");
  return ipaddr.isValid(bare) ? ipaddr.parse(bare) : undefined;
}

function embeddedIPv4(address: ipaddr.IPv6): ipaddr.IPv4 | undefined {
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  const bytes = address.toByteArray();
  if (EMBEDDED_AT_END.some((range) => address.match(range))) return new ipaddr.IPv4(bytes.slice(12));
  if (address.match(SIX_TO_FOUR)) return new ipaddr.IPv4(bytes.slice(2, 6));
  if (address.match(TEREDO)) return new ipaddr.IPv4(bytes.slice(12).map((byte) => byte ^ 0xff));
  return undefined;
}

function isPublic(address: Address): boolean {
  if (address instanceof ipaddr.IPv6 && address.match(LOCAL_NAT64)) return false;
  return address.range() === "unicast" && !METADATA.includes(address.toString());
}

/** The address itself and what it carries inside: an allowed network counts for either. */
function layersOf(address: Address): { outer: Address; reached: Address } {
  const inner = address instanceof ipaddr.IPv6 ? embeddedIPv4(address) : undefined;
  return { outer: address, reached: inner ?? address };
}

function isWithin(address: Address, network: [Address, number]): boolean {
  return address.kind() === network[0].kind() && address.match(network);
}

/** A check that allows public addresses, and the given networks in CIDR notation beside them. */
export function createAddressCheck(allowedNetworks: readonly string[]): AddressCheck {
  const networks = allowedNetworks.map((cidr) => ipaddr.parseCIDR(cidr));
  return (text) => {
    const address = parseAddress(text);
    if (address === undefined) return false;
    const { outer, reached } = layersOf(address);
    if (networks.some((network) => isWithin(outer, network) || isWithin(reached, network))) return true;
    return isPublic(reached);
  };
}
