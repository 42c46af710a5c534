// Mails that wait in a lane and of which nothing has been told since they were processed: read from the record.
import type { TrackedMail } from "#shared/contracts/make-event.ts";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";
import { mailsOf } from "./mails.ts";
import { trackedMailOfRecord } from "./recorded-mail.ts";

export type UntoldMail = TrackedMail & { relay: string | undefined };

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
    return found.map((record) => ({ ...trackedMailOfRecord(record), relay: record.relay }));
  });
}
