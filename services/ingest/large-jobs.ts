// Jobs that grow while they are made: what a job says once stands in the headers of each of its entries, so that 100 KB become
// megabytes. Few of them are made at once, whichever way they came in.
import type { Clock } from "#shared/clock.ts";
import { createLargePlaces } from "./large-places.ts";
import type { Submission } from "./submission.ts";

/** In characters, over all entries. */
const LARGE = 1024 * 1024;
const AT_ONCE = 3;
const WAIT_MS = 30_000;

function isLarge({ content }: Submission): boolean {
  if (content.kind === "ready") return false;
  const { subject, mail, recipients } = content.request;
  return recipients.length > 1 && recipients.length * (subject.text.length + JSON.stringify(mail).length) > LARGE;
}

/** What `work` comes to; undefined where it is not begun, for no large job came to its end in time. */
export type WithinLargeJobs = <T>(submission: Submission, work: () => Promise<T>) => Promise<T | undefined>;

export function createLargeJobs(clock: Clock): WithinLargeJobs {
  const places = createLargePlaces(AT_ONCE, WAIT_MS, clock);
  return async (submission, work) => {
    if (!isLarge(submission)) return work();
    const release = await places.of(submission.account._id).take();
    return release === undefined ? undefined : work().finally(release);
  };
}
