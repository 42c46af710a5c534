// How far the record is complete: each notifier replica states up to which moment it has recorded all events that it took.
// The retry-scheduler's sweep does not run unless the mark is under a minute old (design, Retries and the deadline).
import type { Collection } from "mongodb";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";

interface Mark {
  /** The replica. */
  _id: string;
  recordedUpTo: Date;
  /** When it was stated; a replica that is gone states no more and does not count. */
  at: Date;
}

const REPLICA_GONE_MS = 30_000;

function marksOf(store: Store): Collection<Mark> {
  return store.collection<Mark>("marks");
}

export interface RecordMarks {
  /** The moment up to which every event is recorded, as all living replicas say; undefined where none lives. */
  recordedUpTo(now: Date): Promise<Date | undefined>;
  /** Written by the notifier alone. */
  state(mark: { replica: string; recordedUpTo: Date; at: Date }): Promise<void>;
  /** A replica that ends in order takes its mark along. */
  remove(replica: string): Promise<void>;
}

export function createRecordMarks(store: Store): RecordMarks {
  const marks = marksOf(store);
  return {
    recordedUpTo: (now) =>
      guard(async () => {
        const living = await marks.find({ at: { $gt: new Date(now.getTime() - REPLICA_GONE_MS) } }).toArray();
        const times = living.map((mark) => mark.recordedUpTo.getTime());
        return times.length === 0 ? undefined : new Date(Math.min(...times));
      }),
    state: ({ replica, recordedUpTo, at }) =>
      guard(async () => {
        await marks.replaceOne({ _id: replica }, { recordedUpTo, at }, { upsert: true });
        await marks.deleteMany({ at: { $lt: new Date(at.getTime() - REPLICA_GONE_MS * 10) } });
      }),
    remove: (replica) => guard(async () => void (await marks.deleteOne({ _id: replica }))),
  };
}
