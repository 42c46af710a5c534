// The collection `suppressions`: recipients that an account's mails are dropped for (contract, Suppression list).
// Written by the router alone. An entry counts from `listedAt` on; while it counts, renewal and an operator's PUT move `until`
// and never `listedAt`, so that a second pass over the same job decides the same.
import type { Collection, Document, Filter } from "mongodb";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";

export interface Suppression {
  /** `<account>/<address>`, the address in its comparable spelling. */
  _id: string;
  account: string;
  email: string;
  kind: "bounce" | "manual";
  listedAt: Date;
  /** Absent: until it is taken off by hand. */
  until?: Date;
  /** What a renewal adds, in ms; by bounces only. */
  termMs?: number;
  /** The bounce that listed it. */
  bounce?: { ts: string; reason: string };
  /** Why an operator listed it. */
  reason?: string;
}

/** What a hard bounce does to the list. */
export interface BounceListing {
  account: string;
  email: string;
  termMs: number;
  bounce: { ts: string; reason: string };
}

/** What an operator says of a recipient. */
export interface HandListing {
  account: string;
  email: string;
  until?: Date;
  reason?: string;
}

export interface Suppressions {
  /** Makes the indexes. Throws StoreUnavailable. */
  prepare(): Promise<void>;
  /** The entries of these ids (suppressionIdOf), whether they count or not: one look-up. */
  find(ids: readonly string[]): Promise<ReadonlyMap<string, Suppression>>;
  /** Moves `until` forward by the entry's term from `from`; never back. */
  renew(renewals: readonly { id: string; until: Date }[]): Promise<void>;
  /** Lists, or lengthens what is listed: the first bounce stays the one that is told. */
  listBounces(listings: readonly BounceListing[], now: Date): Promise<void>;
  /** What an operator says replaces what stands there; who is listed already stays so since then. */
  listByHand(listing: HandListing, now: Date): Promise<void>;
  /** Whether there was such an entry. */
  remove(account: string, email: string): Promise<boolean>;
  /** Removes a recipient from the lists of all accounts; how many entries there were. */
  erase(email: string): Promise<number>;
  /** Removes the list of an account that is gone; how many entries there were. */
  forgetAccount(account: string): Promise<number>;
  /** By address; at most `limit` after `cursor`. */
  list(account: string, page: { cursor?: string; limit: number }): Promise<readonly Suppression[]>;
}

/** Entries outlive their term by the longest deadline, so that a late second pass over a job finds what the first found. */
const KEPT_AFTER_SECONDS = 3 * 24 * 3_600;

export function suppressionIdOf(account: string, email: string): string {
  return `${account}/${comparableAddress(email)}`;
}

/** Whether an entry counts for a job that was accepted at `acceptedMs`. */
export function countsAt(entry: Suppression, acceptedMs: number): boolean {
  return entry.listedAt.getTime() <= acceptedMs && (entry.until === undefined || entry.until.getTime() > acceptedMs);
}

export function createSuppressions(store: Store): Suppressions {
  const entries = store.collection<Suppression>("suppressions");
  return {
    prepare: () =>
      guardLong(async () => {
        await entries.createIndexes([
          { name: "list", key: { account: 1, email: 1 } },
          { name: "email", key: { email: 1 } },
          { name: "term", key: { until: 1 }, expireAfterSeconds: KEPT_AFTER_SECONDS },
        ]);
      }),
    find: async (ids) => {
      const found = await guard(() => entries.find({ _id: { $in: [...ids] } }).toArray());
      return new Map(found.map((entry) => [entry._id, entry]));
    },
    renew: (renewals) => renew(entries, renewals),
    listBounces: (listings, now) => listBounces(entries, listings, now),
    listByHand: (listing, now) => listByHand(entries, listing, now),
    remove: (account, email) =>
      guard(async () => (await entries.deleteOne({ _id: suppressionIdOf(account, email) })).deletedCount > 0),
    erase: (email) =>
      guardLong(async () => (await entries.deleteMany({ email: comparableAddress(email) })).deletedCount),
    forgetAccount: (account) => guardLong(async () => (await entries.deleteMany({ account })).deletedCount),
    list: (account, { cursor, limit }) => {
      const filter: Filter<Suppression> = cursor === undefined ? { account } : { account, email: { $gt: cursor } };
      return guard(() => entries.find(filter).sort({ email: 1 }).limit(limit).toArray());
    },
  };
}

async function renew(
  entries: Collection<Suppression>,
  renewals: readonly { id: string; until: Date }[],
): Promise<void> {
  if (renewals.length === 0) return;
  const operations = renewals.map(({ id, until }) => ({
    updateOne: { filter: { _id: id, kind: "bounce" as const }, update: { $max: { until } } },
  }));
  await guard(() => entries.bulkWrite(operations, { ordered: false }));
}

/** Of an entry in a pipeline: its term is not over. */
function countsStill(now: Date): Document {
  return { $or: [{ $gt: ["$until", now] }, { $eq: [{ $type: "$until" }, "missing"] }] };
}

/** An entry whose term was over, and that is given another, counts from now on: what was accepted in between was let through. */
async function listByHand(entries: Collection<Suppression>, listing: HandListing, now: Date): Promise<void> {
  const { account, email, until, reason } = listing;
  const _id = suppressionIdOf(account, email);
  const entry: Omit<Suppression, "listedAt"> = {
    _id,
    account,
    email: comparableAddress(email),
    kind: "manual",
    ...(until === undefined ? {} : { until }),
    ...(reason === undefined ? {} : { reason }),
  };
  const isSame = { $or: [countsStill(now), { $eq: ["$until", until ?? null] }] };
  const listedAt = { $cond: [isSame, { $ifNull: ["$listedAt", now] }, now] };
  const listed = { $mergeObjects: [{ $literal: entry }, { listedAt }] };
  await guard(() => entries.updateOne({ _id }, [{ $replaceWith: listed }], { upsert: true }));
}

/** One pipeline for each: an entry that still counts is lengthened, one by hand is left, anything else is listed anew. */
async function listBounces(
  entries: Collection<Suppression>,
  listings: readonly BounceListing[],
  now: Date,
): Promise<void> {
  if (listings.length === 0) return;
  const operations = listings.map((listing) => {
    const _id = suppressionIdOf(listing.account, listing.email);
    const until = new Date(Date.parse(listing.bounce.ts) + listing.termMs);
    const fresh: Suppression = {
      _id,
      account: listing.account,
      email: comparableAddress(listing.email),
      kind: "bounce",
      listedAt: now,
      until,
      termMs: listing.termMs,
      bounce: listing.bounce,
    };
    const lengthened = { until: { $max: ["$until", until] }, termMs: { $max: ["$termMs", listing.termMs] } };
    const isNew = { $eq: [{ $type: "$kind" }, "missing"] };
    const isManual = { $eq: ["$kind", "manual"] };
    const listed = { $cond: [isManual, "$$ROOT", { $mergeObjects: ["$$ROOT", lengthened] }] };
    const entry = { $cond: [{ $or: [isNew, { $not: [countsStill(now)] }] }, { $literal: fresh }, listed] };
    return { updateOne: { filter: { _id }, update: [{ $replaceWith: entry }], upsert: true } };
  });
  await guard(() => entries.bulkWrite(operations, { ordered: false }));
}
