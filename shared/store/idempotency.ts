// Idempotency keys (design, Ways in): written with majority before the publish, done after its confirm, kept for 48 hours.
import type { Collection } from "mongodb";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";
import { createGroupCommit } from "./group-commit.ts";
import { refusedAsDuplicates } from "./refused-as-duplicates.ts";

export const KEPT_MS = 48 * 3_600_000;
export const LEASE_MS = 5_000;
/** Most keys in one write. */
const MOST_AT_ONCE = 100;

export interface StoredKey {
  /** `<account>/<its serial>/<key>`, without the serial where the account has none. */
  _id: string;
  bodyHash: string;
  jobId: string;
  state: "pending" | "done";
  /** Until then whoever began is at work on it. */
  leaseUntil: Date;
  expiresAt: Date;
}

export interface KeyedSubmission {
  /** Its name, with its serial where it has one. */
  account: string;
  key: string;
  bodyHash: string;
  /** Of the job that it becomes, where the key is new. */
  jobId: string;
  now: Date;
}

export type Beginning =
  | { kind: "new"; jobId: string }
  /** The first has died or lost its broker: goes on under its job id, as suspect. */
  | { kind: "taken-over"; jobId: string; receivedAt: Date }
  | { kind: "done"; jobId: string }
  | { kind: "in-progress"; leaseUntil: Date }
  | { kind: "other-body" };

export interface IdempotencyKeys {
  /** Throws StoreUnavailable, as all of these. */
  begin(submission: KeyedSubmission): Promise<Beginning>;
  finish(submission: KeyedSubmission, jobId: string): Promise<void>;
  /** Nothing was published: the key is free again. */
  release(submission: KeyedSubmission, jobId: string): Promise<void>;
  /** Whether it was published is unknown: the next one may take over at once. */
  endLease(submission: KeyedSubmission, jobId: string): Promise<void>;
  prepare(): Promise<void>;
}

const keyOf = ({ account, key }: KeyedSubmission): string => `${account}/${key}`;
const after = (now: Date, ms: number): Date => new Date(now.getTime() + ms);

function freshKey(submission: KeyedSubmission): StoredKey {
  const { bodyHash, jobId, now } = submission;
  return {
    _id: keyOf(submission),
    bodyHash,
    jobId,
    state: "pending",
    leaseUntil: after(now, LEASE_MS),
    expiresAt: after(now, KEPT_MS),
  };
}

/** A lease that ends later than the clocks of replicas differ was written before this one was set back: it holds for nobody. */
function isHeld({ leaseUntil }: StoredKey, now: Date): boolean {
  return leaseUntil > now && leaseUntil <= after(now, 2 * LEASE_MS);
}

interface Insertion {
  key: StoredKey;
  isNew: boolean;
}

/** Inserts keys, those that come together in one write; tells of each whether it was new. */
function createInserter(keys: Collection<StoredKey>): (submission: KeyedSubmission) => Promise<boolean> {
  async function insertAll(items: readonly Insertion[]): Promise<void> {
    try {
      await guard(() =>
        keys.insertMany(
          items.map(({ key }) => key),
          { ordered: false },
        ),
      );
    } catch (error) {
      for (const index of refusedAsDuplicates(error)) {
        const item = items[index];
        if (item !== undefined) item.isNew = false;
      }
    }
  }
  const inserts = createGroupCommit<Insertion>({ max: MOST_AT_ONCE, write: insertAll });
  return async (submission) => {
    const item: Insertion = { key: freshKey(submission), isNew: true };
    await inserts.add(item);
    return item.isNew;
  };
}

export function createIdempotencyKeys(store: Store): IdempotencyKeys {
  const keys = store.collection<StoredKey>("idempotency");

  const insert = createInserter(keys);
  const ends = createGroupCommit<Pick<StoredKey, "_id" | "jobId">>({
    max: MOST_AT_ONCE,
    write: async (items) => {
      const updates = items.map((filter) => ({ updateOne: { filter, update: { $set: { state: "done" as const } } } }));
      await guard(() => keys.bulkWrite(updates, { ordered: false }));
    },
  });

  /** Replaces what was seen, unless somebody else did first. */
  async function takeOver(seen: StoredKey, next: StoredKey): Promise<boolean> {
    const { _id, state, leaseUntil, expiresAt } = seen;
    const done = await guard(() => keys.replaceOne({ _id, state, leaseUntil, expiresAt }, next));
    return done.modifiedCount === 1;
  }

  async function meet(submission: KeyedSubmission, seen: StoredKey): Promise<Beginning> {
    const { now } = submission;
    const next = freshKey(submission);
    if (seen.expiresAt <= now) {
      const isOurs = await takeOver(seen, next);
      return isOurs ? { kind: "new", jobId: next.jobId } : { kind: "in-progress", leaseUntil: next.leaseUntil };
    }
    if (seen.bodyHash !== submission.bodyHash) return { kind: "other-body" };
    if (seen.state === "done") return { kind: "done", jobId: seen.jobId };
    if (isHeld(seen, now)) return { kind: "in-progress", leaseUntil: seen.leaseUntil };
    const isOurs = await takeOver(seen, { ...next, jobId: seen.jobId, expiresAt: seen.expiresAt });
    const receivedAt = after(seen.expiresAt, -KEPT_MS);
    return isOurs
      ? { kind: "taken-over", jobId: seen.jobId, receivedAt }
      : { kind: "in-progress", leaseUntil: next.leaseUntil };
  }

  return {
    begin: async (submission) => {
      if (await insert(submission)) return { kind: "new", jobId: submission.jobId };
      const seen = await guard(() => keys.findOne({ _id: keyOf(submission) }));
      if (seen !== null) return meet(submission, seen);
      return { kind: "in-progress", leaseUntil: after(submission.now, LEASE_MS) };
    },
    finish: async (submission, jobId) => {
      await ends.add({ _id: keyOf(submission), jobId });
    },
    release: async (submission, jobId) => {
      await guard(() => keys.deleteOne({ _id: keyOf(submission), jobId, state: "pending" }));
    },
    endLease: async (submission, jobId) => {
      const found = { _id: keyOf(submission), jobId, state: "pending" } as const;
      await guard(() => keys.updateOne(found, { $set: { leaseUntil: submission.now } }));
    },
    prepare: async () => {
      await guardLong(() => keys.createIndex({ expiresAt: 1 }, { name: "expiry", expireAfterSeconds: 0 }));
    },
  };
}
