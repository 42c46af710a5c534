// The collection `waiting-jobs`: accepted jobs of which the record knew nothing some seconds later. They wait to be split, or
// a queue that was deleted took them with it: then this is what is left to end their mails by. Written by ingest alone.
import type { JobHead } from "#shared/contracts/mail.ts";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";
import { mailsOf } from "./mails.ts";
import { refusedAsDuplicates } from "./refused-as-duplicates.ts";
import { unknownJobs } from "./unknown-jobs.ts";

/** What its mails are told of by. */
export interface WaitingJob {
  head: JobHead;
  addresses: readonly string[];
}

export interface StoredWaitingJob {
  /** The job's id. */
  _id: string;
  acceptedAt: Date;
  deadline: Date;
  job: WaitingJob;
  expiresAt: Date;
}

export interface WaitingJobs {
  prepare(): Promise<void>;
  /** Writes those that nothing is recorded of; how many. Throws StoreUnavailable, as all of these. */
  keep(jobs: readonly WaitingJob[]): Promise<number>;
  /** Removes those that have come to be recorded. */
  clear(): Promise<void>;
  /** Of those accepted from `since` to `until`, those that are recorded by nothing else, oldest first. */
  accepted(window: { since: Date; until: Date; limit: number }): Promise<readonly WaitingJob[]>;
  /** The same of those whose deadline was before `until`. */
  overdue(until: Date, limit: number): Promise<readonly WaitingJob[]>;
  recordedMailsOf(jobId: string): Promise<ReadonlySet<string>>;
}

const TOGETHER = 500;
/** After the deadline: the sweep ends its mails a minute after that. */
const KEPT_MS = 7 * 24 * 3_600_000;

function dateOf(text: string, plusMs = 0): Date {
  return new Date(Date.parse(text) + plusMs);
}

function storedOf(job: WaitingJob): StoredWaitingJob {
  const { jobId, receivedTs, deadline } = job.head;
  return {
    _id: jobId,
    acceptedAt: dateOf(receivedTs),
    deadline: dateOf(deadline),
    job,
    expiresAt: dateOf(deadline, KEPT_MS),
  };
}

export function createWaitingJobs(store: Store): WaitingJobs {
  const waiting = store.collection<StoredWaitingJob>("waiting-jobs");

  async function unrecorded(filter: object, order: "acceptedAt" | "deadline", limit: number): Promise<WaitingJob[]> {
    const found = await waiting
      .find(filter)
      .sort({ [order]: 1 })
      .limit(limit)
      .toArray();
    const unknown = await unknownJobs(
      store,
      found.map(({ _id }) => _id),
    );
    return found.flatMap(({ _id, job }) => (unknown.has(_id) ? [job] : []));
  }

  async function clearGroup(ids: readonly string[]): Promise<void> {
    const unknown = await unknownJobs(store, ids);
    const known = ids.filter((id) => !unknown.has(id));
    if (known.length > 0) await waiting.deleteMany({ _id: { $in: known } });
  }

  return {
    prepare: () =>
      guardLong(async () => {
        await waiting.createIndexes([
          { name: "accepted", key: { acceptedAt: 1 } },
          { name: "deadline", key: { deadline: 1 } },
          { name: "account", key: { "job.head.account": 1, deadline: -1 } },
          { name: "expiry", key: { expiresAt: 1 }, expireAfterSeconds: 0 },
        ]);
      }),
    keep: (jobs) =>
      guard(async () => {
        const unknown = await unknownJobs(
          store,
          jobs.map(({ head }) => head.jobId),
        );
        const kept = jobs.filter(({ head }) => unknown.has(head.jobId)).map((job) => storedOf(job));
        if (kept.length === 0) return 0;
        await waiting.insertMany(kept, { ordered: false }).catch((error: unknown) => void refusedAsDuplicates(error));
        return kept.length;
      }),
    clear: () =>
      guardLong(async () => {
        let group: string[] = [];
        for await (const { _id } of waiting.find().project<{ _id: string }>({ _id: 1 })) {
          group.push(_id);
          if (group.length < TOGETHER) continue;
          await clearGroup(group);
          group = [];
        }
        if (group.length > 0) await clearGroup(group);
      }),
    accepted: ({ since, until, limit }) =>
      guardLong(() => unrecorded({ acceptedAt: { $gte: since, $lt: until } }, "acceptedAt", limit)),
    overdue: (until, limit) => guardLong(() => unrecorded({ deadline: { $lt: until } }, "deadline", limit)),
    recordedMailsOf: (jobId) => guard(async () => new Set(await mailsOf(store).distinct("_id", { jobId }))),
  };
}
