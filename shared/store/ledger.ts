// The ledger: outcomes and claims by mail and attempt (design, Delivery: Ledger). Written by delivery alone.
// An outcome is written before anything that follows from it; a claim is a lease, so that a dead process holds it for seconds only.
import type { Document } from "mongodb";
import type { Clock } from "#shared/clock.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { Store } from "./connection.ts";
import { guard, guardLong, isDuplicateKey } from "./connection.ts";
import { createGroupCommit } from "./group-commit.ts";
import { refusedAsDuplicates } from "./refused-as-duplicates.ts";

export interface LedgerKey {
  mailId: string;
  attempt: number;
}

interface OutcomeDocument {
  /** `<mail id>:<attempt>` */
  _id: string;
  outcome: Attempt;
  expiresAt: Date;
}

interface ClaimDocument {
  _id: string;
  owner: string;
  leaseUntil: Date;
  /** Whose claim this one took over when its lease had ended. */
  formerOwner?: string | null;
  expiresAt: Date;
}

/** `taken-over`: whoever held it is dead, and what became of its attempt is not known. */
export type ClaimAnswer = "claimed" | "taken-over" | "taken";

export interface ClaimedAttempt {
  attempt: number;
  /** Another process had begun it, whose outcome may come yet. */
  isTakenOver: boolean;
}

export interface Ledger {
  /** Makes the indexes. Throws StoreUnavailable. */
  prepare(): Promise<void>;
  /**
   * Resolves once the outcome is on disk on a majority, to the one that stands: the first of an attempt, but a deferral
   * gives way to a delivery.
   */
  record(key: LedgerKey, outcome: Attempt, deadline: Date): Promise<Attempt>;
  /** Nothing more comes before the outcomes that wait are written. */
  hurry(): void;
  outcomeOf(key: LedgerKey): Promise<Attempt | undefined>;
  /** All outcomes of a mail, oldest first: what the sweep asks before it ends one. */
  outcomesOf(mailId: string): Promise<readonly Attempt[]>;
  /** The attempts of this mail whose claims run; they do so for a while behind an attempt's end, too. */
  claimed(mailId: string): Promise<readonly ClaimedAttempt[]>;
  /** Claims the attempt for `owner`, or renews its lease. */
  claim(key: LedgerKey, owner: string, deadline: Date): Promise<ClaimAnswer>;
}

export const CLAIM_LEASE_MS = 15_000;
export const CLAIM_RENEWAL_MS = 5_000;
/** How long an outcome is kept after its mail's deadline. */
const KEPT_MS = 86_400_000;
const BATCH = 500;
/** Between two writes; there are fewer, larger ones while many attempts end. */
const EVERY_MS = 6;
const BUSY = { items: 4, everyMs: 16 };

const idOf = ({ mailId, attempt }: LedgerKey): string => `${mailId}:${attempt}`;
const idsOf = (mailId: string) => ({ $gte: `${mailId}:`, $lt: `${mailId};` });
const addMs = (date: Date, ms: number): Date => new Date(date.getTime() + ms);

const claimedAttempt = ({ _id, formerOwner }: ClaimDocument): ClaimedAttempt => ({
  attempt: Number(_id.slice(_id.lastIndexOf(":") + 1)),
  isTakenOver: typeof formerOwner === "string",
});

/** The claim goes to `owner` where it is free, theirs already, or its lease is over; by the database's own clock. */
function claimPipeline(owner: string, expiresAt: Date): Document[] {
  const isFree = {
    $or: [
      { $eq: [{ $ifNull: ["$owner", null] }, null] },
      { $eq: ["$owner", owner] },
      { $lt: ["$leaseUntil", "$$NOW"] },
    ],
  };
  const formerOwner = {
    $cond: [{ $in: [{ $ifNull: ["$owner", null] }, [null, owner]] }, { $ifNull: ["$formerOwner", null] }, "$owner"],
  };
  return [
    {
      $replaceWith: {
        $cond: [
          isFree,
          {
            _id: "$_id",
            owner,
            formerOwner,
            leaseUntil: { $add: ["$$NOW", CLAIM_LEASE_MS] },
            expiresAt,
          },
          "$$ROOT",
        ],
      },
    },
  ];
}

export function createLedger(store: Store, clock: Clock): Ledger {
  const outcomes = store.collection<OutcomeDocument>("ledger");
  const claims = store.collection<ClaimDocument>("claims");
  const refused = new WeakSet<OutcomeDocument>();
  const commit = createGroupCommit<OutcomeDocument>({
    max: BATCH,
    pace: { everyMs: EVERY_MS, busy: BUSY, clock },
    write: (documents) =>
      guard(async () => {
        try {
          await outcomes.insertMany([...documents], { ordered: false });
        } catch (error) {
          for (const index of refusedAsDuplicates(error)) refused.add(documents[index] as OutcomeDocument);
        }
      }),
  });
  const standing = (_id: string, outcome: Attempt): Promise<Attempt> =>
    guard(async () => {
      if (outcome.result.status === "accepted") {
        await outcomes.updateOne({ _id, "outcome.result.status": "deferred" }, { $set: { outcome } });
      }
      return (await outcomes.findOne({ _id }))?.outcome ?? outcome;
    });
  return {
    prepare: () =>
      guardLong(async () => {
        await outcomes.createIndex({ expiresAt: 1 }, { name: "retention", expireAfterSeconds: 0 });
        await claims.createIndex({ expiresAt: 1 }, { name: "retention", expireAfterSeconds: 0 });
      }),
    record: async (key, outcome, deadline) => {
      const document = { _id: idOf(key), outcome, expiresAt: addMs(deadline, KEPT_MS) };
      await commit.add(document);
      return refused.has(document) ? standing(document._id, outcome) : outcome;
    },
    hurry: () => commit.hurry(),
    outcomeOf: (key) => guard(async () => (await outcomes.findOne({ _id: idOf(key) }))?.outcome),
    outcomesOf: (mailId) =>
      guard(async () => {
        const found = await outcomes.find({ _id: idsOf(mailId) }).toArray();
        return found.map(({ outcome }) => outcome).toSorted((one, other) => one.attempt - other.attempt);
      }),
    claimed: (mailId) =>
      guard(async () => {
        const held = await claims.find({ _id: idsOf(mailId), $expr: { $gte: ["$leaseUntil", "$$NOW"] } }).toArray();
        return held.map((claim) => claimedAttempt(claim));
      }),
    claim: (key, owner, deadline) =>
      guard(async () => {
        const pipeline = claimPipeline(owner, addMs(deadline, KEPT_MS));
        const ask = () =>
          claims.findOneAndUpdate({ _id: idOf(key) }, pipeline, { upsert: true, returnDocument: "after" });
        const held = await ask().catch((error: unknown) => {
          // Two that claim at the same moment: the one that comes second finds the other's claim.
          if (isDuplicateKey(error)) return ask();
          throw error;
        });
        if (held?.owner !== owner) return "taken";
        return typeof held.formerOwner === "string" ? "taken-over" : "claimed";
      }),
  };
}
