// The lane of a route (design, Lanes). The only place that maps the one to the other.
import { createHash } from "node:crypto";
import type { Configuration, Relay } from "./configuration.ts";
import type { Route } from "./route.ts";

export type Lane =
  | { kind: "relay"; name: string; account: string; /** A-labels */ domain: string }
  | { kind: "mx"; name: string; shard: number }
  | { kind: "mx-ip"; name: string; address: string };

export const MX_SHARDS = 16;

const LONGEST_NAME = 200;
const KEPT_CHARACTERS = 100;
const HASH_DIGITS = 16;

/**
 * `delivery.relay.<account>.<domain>`; over 200 bytes, or where another lane's second mailbox has that name: its first 100
 * characters and 16 hex digits of its SHA-256.
 */
export function relayLaneName(account: string, domain: string): string {
  const name = `delivery.relay.${account}.${domain}`;
  if (name.length <= LONGEST_NAME && laneNameOfMailbox(name) === name) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_DIGITS);
  return `${name.slice(0, KEPT_CHARACTERS)}.${hash}`;
}

/** The shard of a recipient's domain (FNV-1a): the same in every replica and version, for ever. */
export function shardOf(domain: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < domain.length; index += 1) {
    hash = Math.imul(hash ^ domain.charCodeAt(index), 0x01000193);
  }
  return ((hash >>> 0) ^ (hash >>> 16)) & (MX_SHARDS - 1);
}

function relayLane({ account, domain }: Pick<Relay, "account" | "domain">): Lane {
  return { kind: "relay", name: relayLaneName(account, domain), account, domain };
}

const shardLane = (shard: number): Lane => ({ kind: "mx", name: `delivery.mx.${shard}`, shard });
const addressLane = (address: string): Lane => ({ kind: "mx-ip", name: `delivery.mx.ip.${address}`, address });

/** Where the mails of a route wait: a relay's own lane, one of the default route's, or that of a dedicated IP. */
export function laneOf(route: Extract<Route, { kind: "relay" | "mx" }>): Lane {
  if (route.kind === "relay") return relayLane(route.relay);
  return route.sourceIp === undefined ? shardLane(shardOf(route.domain)) : addressLane(route.sourceIp);
}

/** Every lane that a route may lead to. */
export function lanesOf(configuration: Pick<Configuration, "accounts" | "relays">): Lane[] {
  const relays = configuration.relays().filter(({ removed }) => removed === undefined);
  const addresses = new Set(configuration.accounts().flatMap(({ dedicatedIp }) => dedicatedIp ?? []));
  return [
    ...relays.map(relayLane),
    ...Array.from({ length: MX_SHARDS }, (_, shard) => shardLane(shard)),
    ...[...addresses].map(addressLane),
  ];
}

/** The lane that a lane's mailbox belongs to: `<lane>.bulk` is the second of `<lane>`. */
export function laneNameOfMailbox(queue: string): string {
  return queue.endsWith(".bulk") ? queue.slice(0, -".bulk".length) : queue;
}
