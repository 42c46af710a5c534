// Which jobs neither the record nor the dead letters know.
import { mailIdOf } from "#shared/contracts/ids.ts";
import type { Store } from "./connection.ts";
import type { StoredDeadLetter } from "./dead-letters.ts";
import { mailsOf } from "./mails.ts";

/** Asked by the id of a job's first mail, which is cheap: a job's mails are recorded together or in order. */
export async function unknownJobs(store: Store, jobIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (jobIds.length === 0) return new Set();
  const byMail = new Map(jobIds.map((jobId) => [mailIdOf(jobId, 0), jobId]));
  const recorded = await mailsOf(store)
    .find({ _id: { $in: [...byMail.keys()] } })
    .project<{ _id: string }>({ _id: 1 })
    .toArray();
  for (const { _id } of recorded) byMail.delete(_id);
  if (byMail.size === 0) return new Set();
  const parked = await store
    .collection<StoredDeadLetter>("dead-letters")
    .distinct("jobId", { jobId: { $in: [...byMail.values()] } });
  return new Set([...byMail.values()].filter((jobId) => !parked.includes(jobId)));
}
