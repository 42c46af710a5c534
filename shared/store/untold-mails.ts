// Mails that wait in a lane and of which nothing has been told since they were processed: read from the record.
import type { TrackedMail } from "#shared/contracts/make-event.ts";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";
import type { MailRecord } from "./mails.ts";
import { mailsOf } from "./mails.ts";

export type UntoldMail = TrackedMail & { relay: string | undefined };

function untoldMailOf(record: MailRecord): UntoldMail {
  return {
    mailId: record._id,
    email: record.email,
    recipient: record.recipient,
    relay: record.relay,
    head: {
      ...record.meta,
      deadline: record.deadline.toISOString(),
      envelopeFrom: record.sender,
      sender: record.sender,
      from: record.from,
      ...(record.mimeFrom === undefined ? {} : { mimeFrom: record.mimeFrom }),
      ...(record.endpoint === undefined ? {} : { endpoint: record.endpoint }),
      ...(record.traceparent === undefined ? {} : { traceparent: record.traceparent }),
      bulk: false,
    },
  };
}

export interface LaneOfAccount {
  account: string;
  name: string;
}

/** Oldest first, accepted before `moment`. Throws StoreUnavailable. */
export function findUntoldMails(store: Store, lane: LaneOfAccount, window: { before: Date; limit: number }) {
  return guard(async (): Promise<UntoldMail[]> => {
    const found = await mailsOf(store)
      .find({
        open: true,
        account: lane.account,
        lane: lane.name,
        type: "PROCESSED",
        receivedAt: { $lt: window.before },
        deadline: { $gt: window.before },
      })
      .sort({ receivedAt: 1 })
      .limit(window.limit)
      .toArray();
    return found.map(untoldMailOf);
  });
}
