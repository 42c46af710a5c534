// Which mails lie in the dead letters (control's collection `dead-letters`), as the sweep of the record asks.
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";
import type { StoredDeadLetter } from "./dead-letters.ts";
import { createDeadLetters } from "./dead-letters.ts";

export interface ParkedMails {
  /** Of these mails, those that lie in the dead letters and were not replayed, each with the reason. */
  reasonsOf(mailIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Whole jobs that lie there and were not replayed. */
  jobs(): Promise<readonly { id: string; jobId: string; reason: string }[]>;
  bodyOf(id: string): Promise<Buffer>;
}

const MOST_JOBS = 200;

export function createParkedMails(store: Store): ParkedMails {
  const letters = store.collection<StoredDeadLetter>("dead-letters");
  const deadLetters = createDeadLetters(store);
  return {
    bodyOf: (id) => deadLetters.body(id),
    jobs: () =>
      guard(async () => {
        const found = await letters
          .find({ type: "job", jobId: { $exists: true }, replayedAt: { $exists: false } })
          .project<Pick<StoredDeadLetter, "_id" | "jobId" | "reason">>({ jobId: 1, reason: 1 })
          .limit(MOST_JOBS)
          .toArray();
        return found.flatMap(({ _id, jobId, reason }) => (jobId === undefined ? [] : [{ id: _id, jobId, reason }]));
      }),
    reasonsOf: (mailIds) =>
      guard(async () => {
        const found = await letters
          .find({ mailId: { $in: [...mailIds] }, replayedAt: { $exists: false } })
          .project<Pick<StoredDeadLetter, "mailId" | "reason">>({ mailId: 1, reason: 1 })
          .toArray();
        return new Map(
          found.flatMap(({ mailId, reason }) => (mailId === undefined ? [] : [[mailId, reason] as const])),
        );
      }),
  };
}
