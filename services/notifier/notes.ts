// Notes POSTs in the record of their mails, many in one write.
import type { Clock } from "#shared/clock.ts";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import { createGroupCommit } from "#shared/store/group-commit.ts";
import type { MailWriter, NoteOfMails } from "#shared/store/mail-writer.ts";
import type { PostOutcome } from "./answer.ts";

export interface Notes {
  /** Resolves once it is written. */
  addPost(batch: BatchMessage, post: { url: string; outcome: PostOutcome }): Promise<void>;
}

const MOST_IN_ONE_WRITE = 200;
/** Nobody waits for a note but the batch's own acknowledgement. */
const WRITE_EVERY_MS = 50;

function mailIdsOf(batch: BatchMessage, isEnd: boolean): string[] {
  const told = batch.push.notifications.filter(({ meta }) => !isEnd || meta.event.state === "FINISHED");
  return [...new Set(told.map(({ meta }) => meta.mail.id))];
}

/** The mails whose end a batch tells of. */
export function endedMailsOf(batch: BatchMessage): string[] {
  return mailIdsOf(batch, true);
}

export function createNotes(writer: Pick<MailWriter, "note">, clock: Clock): Notes {
  const commit = createGroupCommit<NoteOfMails>({
    write: (notes) => writer.note(notes),
    max: MOST_IN_ONE_WRITE,
    isRepeatable: true,
    pace: { everyMs: WRITE_EVERY_MS, clock },
  });
  return {
    addPost: (batch, { url, outcome }) =>
      commit.add({
        mailIds: mailIdsOf(batch, false),
        note: {
          at: clock.now(),
          url,
          status: outcome.status,
          ...(outcome.kind === "delivered" ? {} : { error: outcome.reason }),
          id: batch.batchId,
        },
        settled: outcome.kind === "delivered" ? endedMailsOf(batch) : [],
      }),
  };
}
