// The collection `turns`: how often the configuration of an account, and the list of lanes, was changed, and when last. Every
// change writes it; whoever follows asks for it again and again. A change stream would have to look at every write to any
// collection, of which each mail makes fourteen.
import type { ClientSession, Filter } from "mongodb";
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { Store } from "./connection.ts";

interface Turn {
  /** The account's name, or LANES. */
  _id: string;
  changes: number;
  /** By the database's clock, within the transaction. */
  changedAt?: Date;
}

/** No account has such a name. */
export const LANES = "#lanes";
/** A transaction that was begun so long ago has ended: the database allows 60 s. */
const LONGEST_TRANSACTION_MS = 70_000;

const turnsIn = (store: Store) => store.collection<Turn>("turns");

/** Makes the index that `createTurnReader` asks by. */
export async function prepareTurns(store: Store): Promise<void> {
  await turnsIn(store).createIndex({ changedAt: 1 }, { name: "recent" });
}

/** Counts a change, in the transaction that makes it where there is one. */
export async function countTurn(store: Store, of: string, session?: ClientSession): Promise<void> {
  const counted = { changes: { $add: [{ $ifNull: ["$changes", 0] }, 1] }, changedAt: "$$NOW" };
  await turnsIn(store).updateOne({ _id: of }, [{ $set: counted }], {
    upsert: true,
    ...(session === undefined ? {} : { session }),
  });
}

export interface TurnReader {
  /** What was changed since the last call; the first answers all that ever was. */
  changed(): Promise<ReadonlySet<string>>;
}

/** Transactions are not ended in the order of their times: what is so young that an older one may follow is asked for again. */
export function createTurnReader(store: Store, clock: Clock): TurnReader {
  const steady = createSteadyClock(clock);
  const seen = new Map<string, number>();
  let newest = new Date(0);
  let newestSeenMs = 0;
  const filter = (): Filter<Turn> => {
    const isSettled = steady.nowMs() - newestSeenMs > LONGEST_TRANSACTION_MS;
    return { changedAt: isSettled ? { $gt: newest } : { $gte: new Date(newest.getTime() - LONGEST_TRANSACTION_MS) } };
  };
  return {
    changed: async () => {
      const found = await turnsIn(store).find(filter()).toArray();
      const changed = found.filter(({ _id, changes }) => seen.get(_id) !== changes);
      for (const { _id, changes, changedAt } of changed) {
        seen.set(_id, changes);
        if (changedAt === undefined || changedAt <= newest) continue;
        newest = changedAt;
        newestSeenMs = steady.nowMs();
      }
      return new Set(changed.map(({ _id }) => _id));
    },
  };
}
