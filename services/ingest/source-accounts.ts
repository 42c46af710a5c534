// Accounts that an SMTP client needs neither TLS nor AUTH for: those that list its address (operator contract, REST submission).
import { LRUCache } from "lru-cache";
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import type { ClientAddress, ClientNetwork } from "./client-address.ts";
import { parseClientAddress, parseClientNetwork } from "./client-address.ts";

const REMEMBERED_ADDRESSES = 1_000;

interface Listing {
  account: Account;
  networks: readonly ClientNetwork[];
}

function listingsOf(configuration: Configuration): Listing[] {
  return configuration
    .accounts()
    .filter((account) => account.sourceIps.length > 0 && account.removedAt === undefined)
    .map((account) => ({ account, networks: account.sourceIps.map((cidr) => parseClientNetwork(cidr)) }));
}

function isWithin(address: ClientAddress, [network, bits]: ClientNetwork): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

/** The accounts that list `address`. Remembered by address for as long as the configuration is the same. */
export function createSourceAccounts(): (configuration: Configuration, address: string) => readonly Account[] {
  const known = new WeakMap<Configuration, { listings: Listing[]; found: LRUCache<string, readonly Account[]> }>();
  return (configuration, address) => {
    const memory = known.get(configuration) ?? {
      listings: listingsOf(configuration),
      found: new LRUCache<string, readonly Account[]>({ max: REMEMBERED_ADDRESSES }),
    };
    known.set(configuration, memory);
    const before = memory.found.get(address);
    if (before !== undefined) return before;
    const parsed = parseClientAddress(address);
    const found = memory.listings
      .filter(({ networks }) => parsed !== undefined && networks.some((network) => isWithin(parsed, network)))
      .map(({ account }) => account);
    memory.found.set(address, found);
    return found;
  };
}
