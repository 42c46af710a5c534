// The collection `relays`, with the tombstones of removed ones, and what verifying each has found. Written by control alone.
import type { Relay } from "#shared/routing/configuration.ts";
import { CONFIGURATION_COLLECTIONS } from "./configuration.ts";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";
import type { Documents } from "./documents.ts";
import { createDocuments } from "./documents.ts";

export interface StoredRelay extends Relay {
  /** Set by DELETE: a tombstone, which routing still reads, but which is no relay of the account any more. */
  deletedAt?: Date;
}

export interface VerificationStep {
  step: string;
  ok: boolean;
  detail: string;
  ms: number;
}

export interface Verification {
  /** `<account>/<domain>` */
  _id: string;
  at: Date;
  /** The relay that was spoken to. */
  host: string;
  port: number;
  steps: readonly VerificationStep[];
}

export type Relays = Documents<StoredRelay> & {
  /** Tombstones of before `moment`. */
  deletedBefore(moment: Date): Promise<StoredRelay[]>;
  verificationsOf(ids: readonly string[]): Promise<ReadonlyMap<string, Verification>>;
  writeVerification(verification: Verification): Promise<void>;
};

export function createRelays(store: Store): Relays {
  const collection = store.collection<StoredRelay>(CONFIGURATION_COLLECTIONS.relays);
  const verifications = store.collection<Verification>("verifications");
  return {
    ...createDocuments<StoredRelay>(store, CONFIGURATION_COLLECTIONS.relays),
    deletedBefore: (moment) => guard(() => collection.find({ deletedAt: { $lt: moment } }).toArray()),
    verificationsOf: (ids) =>
      guard(async () => {
        const found = await verifications.find({ _id: { $in: [...ids] } }).toArray();
        return new Map(found.map((item) => [item._id, item]));
      }),
    writeVerification: (verification) =>
      guard(async () => {
        const { _id, ...fields } = verification;
        await verifications.replaceOne({ _id }, fields, { upsert: true });
      }),
  };
}
