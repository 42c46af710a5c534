// Jobs that were accepted, of which nothing is recorded, and that are in no queue: parked, or lost with a queue that was deleted.
// Their mails end at their deadline; until then their account stays.
import type { Store } from "./connection.ts";
import { guardLong } from "./connection.ts";
import type { StoredDeadLetter } from "./dead-letters.ts";
import { PARKED_JOBS } from "./parked-mails.ts";
import { unrecordedOf } from "./unknown-jobs.ts";
import type { StoredWaitingJob } from "./waiting-jobs.ts";

export interface HeldJobs {
  /** Whether the account has one. Throws StoreUnavailable. */
  areOf(account: string): Promise<boolean>;
}

/** Those whose mails have ended stay for a while, behind these. */
const LOOKED_AT = 500;

export function createHeldJobs(store: Store): HeldJobs {
  const letters = store.collection<StoredDeadLetter>("dead-letters");
  const waiting = store.collection<StoredWaitingJob>("waiting-jobs");
  return {
    areOf: (account) =>
      guardLong(async () => {
        const parked = await letters
          .find({ ...PARKED_JOBS, account })
          .sort({ deadline: -1 })
          .limit(LOOKED_AT)
          .project<{ jobId: string }>({ jobId: 1 })
          .toArray();
        const lost = await waiting
          .find({ "job.head.account": account })
          .sort({ deadline: -1 })
          .limit(LOOKED_AT)
          .project<{ _id: string }>({ _id: 1 })
          .toArray();
        const jobIds = [...parked.map(({ jobId }) => jobId), ...lost.map(({ _id }) => _id)];
        return (await unrecordedOf(store, jobIds)).size > 0;
      }),
  };
}
