// Where Waypost may connect to, and how it finds it: resolve first, check every address, connect to the checked one
// (design, Ways in). For delivery targets and push endpoints alike.
import { hostOutOfUrl } from "./host-in-url.ts";
import type { AddressCheck } from "./refused-networks.ts";
import { createAddressCheck } from "./refused-networks.ts";
import type { DnsResolver, LookupFailure, ResolverSettings } from "./resolver.ts";
import { createResolver } from "./resolver.ts";

export interface NetworkSettings extends ResolverSettings {
  WAYPOST_ALLOW_NETWORKS: readonly string[] | undefined;
}

export interface CheckedAddress {
  address: string;
  family: 4 | 6;
}

export type Resolution =
  | { ok: true; addresses: readonly CheckedAddress[] }
  /** `refused`: it resolves, but only to networks that may not be connected to. */
  | { ok: false; failure: LookupFailure | "refused"; text: string };

export interface NetworkPolicy {
  /**
   * The addresses of a host name or address literal that may be connected to, IPv4 first. One refused address among
   * public ones is left out. Connect to these and never to the name: a second look-up may say something else.
   */
  resolve(host: string): Promise<Resolution>;
  isAllowed: AddressCheck;
  dns: DnsResolver;
}

export const familyOf = (address: string): 4 | 6 => (address.includes(":") ? 6 : 4);

export function createNetworkPolicy(settings: NetworkSettings): NetworkPolicy {
  const dns = createResolver(settings);
  const isAllowed = createAddressCheck(settings.WAYPOST_ALLOW_NETWORKS ?? []);
  return {
    dns,
    isAllowed,
    resolve: async (host) => {
      const lookup = await dns.addresses(hostOutOfUrl(host));
      if (!lookup.ok) return lookup;
      const allowed = lookup.records.filter((address) => isAllowed(address));
      if (allowed.length > 0) {
        return { ok: true, addresses: allowed.map((address) => ({ address, family: familyOf(address) })) };
      }
      const refused = lookup.records.join(", ");
      return { ok: false, failure: "refused", text: `${host} leads to ${refused}: a network that is refused` };
    },
  };
}
