// Which mails lie in the dead letters (control's collection `dead-letters`), as the sweep of the record asks.
import type { AbstractCursor, Collection } from "mongodb";
import { QUEUES } from "#shared/broker/topology.ts";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";
import type { StoredDeadLetter } from "./dead-letters.ts";
import { createDeadLetters, FROM_WAYPOST } from "./dead-letters.ts";
import { unrecordedOf } from "./unknown-jobs.ts";

export interface ParkedJob {
  id: string;
  jobId: string;
  reason: string;
}

export interface ParkedMails {
  /** Of these mails, those that lie in the dead letters of our own mailboxes and were not replayed, each with the reason. */
  reasonsOf(mailIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Whole jobs that lie there, were not replayed, have no mail in the record and end by then: oldest deadline first. */
  jobs(until: Date): AsyncIterable<ParkedJob>;
  bodyOf(id: string): Promise<Buffer>;
}

/** How many are looked for in the record at once. */
const TOGETHER = 500;
/** Whole jobs that lie there and were not replayed. */
export const PARKED_JOBS = {
  queue: { $in: [QUEUES.jobsInteractive, QUEUES.jobsBulk] },
  type: "job",
  jobId: { $exists: true },
  replayedAt: { $exists: false },
};
/** A tracking point that lies there says nothing of its mail, which goes on. */
const NO_POINT = { $ne: "event" } as const;

type JobLetter = Pick<StoredDeadLetter, "_id" | "reason"> & { jobId: string };

/** Letters from before deadlines were kept have none, and come first. */
function findJobs(letters: Collection<StoredDeadLetter>, until: Date): AbstractCursor<JobLetter> {
  const isDue = { deadline: { $not: { $gt: until } } };
  return letters
    .find({ ...PARKED_JOBS, ...isDue })
    .project<JobLetter>({ jobId: 1, reason: 1 })
    .sort({ deadline: 1 })
    .batchSize(TOGETHER);
}

/** Fewer than asked for: there are no more. */
async function nextOf<T>(cursor: AbstractCursor<T>, most: number): Promise<T[]> {
  const group: T[] = [];
  while (group.length < most) {
    const next = await cursor.next();
    if (next === null) break;
    group.push(next);
  }
  return group;
}

async function* unrecordedJobs(
  store: Store,
  letters: Collection<StoredDeadLetter>,
  until: Date,
): AsyncGenerator<ParkedJob> {
  const cursor = findJobs(letters, until);
  try {
    let group: JobLetter[];
    do {
      group = await guardLong(() => nextOf(cursor, TOGETHER));
      const ids = group.map(({ jobId }) => jobId);
      const unrecorded = await guard(() => unrecordedOf(store, ids));
      for (const { _id, jobId, reason } of group) if (unrecorded.has(jobId)) yield { id: _id, jobId, reason };
    } while (group.length === TOGETHER);
  } finally {
    await guard(() => cursor.close());
  }
}

export function createParkedMails(store: Store): ParkedMails {
  const letters = store.collection<StoredDeadLetter>("dead-letters");
  const deadLetters = createDeadLetters(store);
  return {
    bodyOf: (id) => deadLetters.body(id),
    jobs: (until) => unrecordedJobs(store, letters, until),
    reasonsOf: (mailIds) =>
      guard(async () => {
        const found = await letters
          .find({ mailId: { $in: [...mailIds] }, type: NO_POINT, replayedAt: { $exists: false }, ...FROM_WAYPOST })
          .project<Pick<StoredDeadLetter, "mailId" | "reason">>({ mailId: 1, reason: 1 })
          .toArray();
        return new Map(
          found.flatMap(({ mailId, reason }) => (mailId === undefined ? [] : [[mailId, reason] as const])),
        );
      }),
  };
}
