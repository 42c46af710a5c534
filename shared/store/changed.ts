// The collection `changed`: how often a document of the configuration, and the list of lanes, was changed, and when last. Every
// change writes it; whoever follows asks for it again and again. A change stream would have to look at every write to any
// collection, of which each mail makes fourteen.
import type { ClientSession, Filter } from "mongodb";
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { Store } from "./connection.ts";
import { guardLong } from "./connection.ts";

interface Changed {
  /** The document's key in its collection, or LANES. A domain and its relay have the same. */
  _id: string;
  changes: number;
  /** By the database's clock, within the transaction. */
  changedAt: Date;
}

/** No account has such a name. */
export const LANES = "#lanes";
/** A transaction that was begun so long ago has ended: the database allows 60 s. */
const LONGEST_TRANSACTION_MS = 70_000;

const changedIn = (store: Store) => store.collection<Changed>("changed");

/** Makes the index that is asked by. Throws StoreUnavailable. */
export async function prepareChanged(store: Store): Promise<void> {
  await guardLong(() => changedIn(store).createIndex({ changedAt: 1 }, { name: "recent" }));
}

/** Notes a change, in the transaction that makes it where there is one. */
export async function noteChanged(store: Store, key: string, session?: ClientSession): Promise<void> {
  const counted = { changes: { $add: [{ $ifNull: ["$changes", 0] }, 1] }, changedAt: "$$NOW" };
  await changedIn(store).updateOne({ _id: key }, [{ $set: counted }], {
    upsert: true,
    ...(session === undefined ? {} : { session }),
  });
}

export interface ChangeReader {
  /** The keys of what was changed since the last call; the first answers all that ever was. */
  changed(): Promise<ReadonlySet<string>>;
}

/** Both: a database that was replaced counts again from 1. */
const stateOf = ({ changes, changedAt }: Changed): string => `${changes} at ${changedAt.getTime()}`;

/** Transactions are not ended in the order of their times: what is so young that an older one may follow is asked for again. */
export function createChangeReader(store: Store, clock: Clock): ChangeReader {
  const steady = createSteadyClock(clock);
  const seen = new Map<string, string>();
  let newest = new Date(0);
  let newestSeenMs = 0;
  const filter = (): Filter<Changed> => {
    const isSettled = steady.nowMs() - newestSeenMs > LONGEST_TRANSACTION_MS;
    return { changedAt: isSettled ? { $gt: newest } : { $gte: new Date(newest.getTime() - LONGEST_TRANSACTION_MS) } };
  };
  return {
    changed: async () => {
      const found = await changedIn(store).find(filter()).toArray();
      const changed = found.filter((each) => seen.get(each._id) !== stateOf(each));
      for (const each of changed) {
        const { _id, changedAt } = each;
        seen.set(_id, stateOf(each));
        if (changedAt <= newest) continue;
        newest = changedAt;
        newestSeenMs = steady.nowMs();
      }
      return new Set(changed.map(({ _id }) => _id));
    },
  };
}
