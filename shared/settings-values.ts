// What a single value of a list in the environment must be: addresses, networks, hosts and URLs, in full.
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

/** In full: libraries read `10.1` and `10/8` in ways of their own. */
const isAddress = (text: string): boolean => isIP(text) !== 0;

/** An address, with a port or without. */
export function isDnsServer(item: string): boolean {
  if (isAddress(item)) return true;
  const [, bracketed, plain, port = "53"] = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(item) ?? [];
  return isAddress(bracketed ?? plain ?? "") && Number(port) >= 1 && Number(port) <= 65_535;
}

export function isStaticHost(item: string): boolean {
  return isAddress(/^[^=]+=([^=]+)$/.exec(item)?.[1] ?? "");
}

export function isNetwork(item: string): boolean {
  return ipaddr.isValidCIDR(item) && isAddress(item.split("/")[0] ?? "");
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** The path is the virtual host: the client takes a malformed one as it stands, and asks the broker for what nobody meant. */
export function isAmqpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname } = new URL(text);
  // Where no host is named, as in `amqp:rabbit`, the client would ask this machine.
  return ["amqp:", "amqps:"].includes(protocol) && hostname !== "" && isPercentEncoded(pathname);
}
