// The lane of a route (design, Lanes). The only place that maps the one to the other.
import { createHash } from "node:crypto";
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

/** Where the mails of a route wait: a relay's own lane, one of the default route's, or that of a dedicated IP. */
export function laneOf(route: Extract<Route, { kind: "relay" | "mx" }>): Lane {
  if (route.kind === "relay") {
    const { account, domain } = route.relay;
    return { kind: "relay", name: relayLaneName(account, domain), account, domain };
  }
  if (route.sourceIp !== undefined) {
    return { kind: "mx-ip", name: `delivery.mx.ip.${route.sourceIp}`, address: route.sourceIp };
  }
  const shard = shardOf(route.domain);
  return { kind: "mx", name: `delivery.mx.${shard}`, shard };
}

/** The lane that a lane's mailbox belongs to: `<lane>.bulk` is the second of `<lane>`. */
export function laneNameOfMailbox(queue: string): string {
  return queue.endsWith(".bulk") ? queue.slice(0, -".bulk".length) : queue;
}
