// Jobs that were answered under an idempotency key and that neither the record nor the dead letters know: what a queue took
// with it that was deleted by hand before its jobs were split. Those without a key are in `waiting-jobs` (waiting-jobs.ts).
import type { Store } from "./connection.ts";
import { guardLong } from "./connection.ts";
import type { StoredKey } from "./idempotency.ts";
import { KEPT_MS } from "./idempotency.ts";
import { unknownJobs } from "./unknown-jobs.ts";

export interface UnrecordedJob {
  jobId: string;
  account: string;
  acceptedAt: Date;
}

export interface UnrecordedJobs {
  /** Of those accepted from `since` to `until`, oldest first, at most `limit`. Throws StoreUnavailable. */
  find(window: { since: Date; until: Date; limit: number }): Promise<readonly UnrecordedJob[]>;
}

type Key = Pick<StoredKey, "_id" | "jobId" | "expiresAt">;

const TOGETHER = 500;
const moved = (date: Date, ms: number): Date => new Date(date.getTime() + ms);

export function createUnrecordedJobs(store: Store): UnrecordedJobs {
  const keys = store.collection<StoredKey>("idempotency");

  async function unknown(group: readonly Key[]): Promise<UnrecordedJob[]> {
    const ids = await unknownJobs(
      store,
      group.map((key) => key.jobId),
    );
    return group
      .filter((key) => ids.has(key.jobId))
      .map((key) => ({
        jobId: key.jobId,
        account: key._id.split("/", 1)[0] ?? "",
        acceptedAt: moved(key.expiresAt, -KEPT_MS),
      }));
  }

  return {
    find: ({ since, until, limit }) =>
      guardLong(async () => {
        const found: UnrecordedJob[] = [];
        let group: Key[] = [];
        const window = { $gte: moved(since, KEPT_MS), $lt: moved(until, KEPT_MS) };
        const accepted = keys
          .find({ state: "done", expiresAt: window })
          .sort({ expiresAt: 1 })
          .project<Key>({ jobId: 1, expiresAt: 1 });
        for await (const key of accepted) {
          group.push(key);
          if (group.length < TOGETHER) continue;
          found.push(...(await unknown(group)));
          group = [];
          if (found.length >= limit) break;
        }
        found.push(...(await unknown(group)));
        return found.slice(0, limit);
      }),
  };
}
