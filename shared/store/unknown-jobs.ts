// Which jobs neither the record nor the dead letters know.
import { mailIdOf } from "#shared/contracts/ids.ts";
import type { Store } from "./connection.ts";
import type { StoredDeadLetter } from "./dead-letters.ts";
import { FROM_WAYPOST } from "./dead-letters.ts";
import { mailsOf } from "./mails.ts";

/** Those whose first mail is not recorded, which is cheap to ask: a job's mails are recorded together or in order. */
export async function unrecordedOf(store: Store, jobIds: readonly string[]): Promise<ReadonlySet<string>> {
  const byMail = new Map(jobIds.map((jobId) => [mailIdOf(jobId, 0), jobId]));
  if (byMail.size === 0) return new Set();
  const recorded = await mailsOf(store)
    .find({ _id: { $in: [...byMail.keys()] } })
    .project<{ _id: string }>({ _id: 1 })
    .toArray();
  for (const { _id } of recorded) byMail.delete(_id);
  return new Set(byMail.values());
}

export async function unknownJobs(store: Store, jobIds: readonly string[]): Promise<ReadonlySet<string>> {
  const unrecorded = await unrecordedOf(store, jobIds);
  if (unrecorded.size === 0) return unrecorded;
  const parked = await store
    .collection<StoredDeadLetter>("dead-letters")
    .distinct("jobId", { jobId: { $in: [...unrecorded] }, ...FROM_WAYPOST });
  return new Set([...unrecorded].filter((jobId) => !parked.includes(jobId)));
}
