// Mails that wait in a lane and of which nothing has been told since they were processed: read from the record.
import type { Filter } from "mongodb";
import type { TrackedMail } from "#shared/contracts/make-event.ts";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";
import type { MailRecord } from "./mails.ts";
import { mailsOf } from "./mails.ts";
import { trackedMailOfRecord } from "./recorded-mail.ts";

export type UntoldMail = TrackedMail & { relay: string | undefined };

export interface LaneOfAccount {
  account: string;
  name: string;
}

export function untoldFilter({ account, name }: LaneOfAccount, before: Date): Filter<MailRecord> {
  return { open: true, account, lane: name, type: "PROCESSED", receivedAt: { $lt: before }, deadline: { $gt: before } };
}

/** Oldest first, accepted before `moment`. Throws StoreUnavailable. */
export function findUntoldMails(store: Store, lane: LaneOfAccount, window: { before: Date; limit: number }) {
  return guard(async (): Promise<UntoldMail[]> => {
    const found = await mailsOf(store)
      .find(untoldFilter(lane, window.before))
      .sort({ receivedAt: 1 })
      .limit(window.limit)
      .toArray();
    return found.map((record) => ({ ...trackedMailOfRecord(record), relay: record.relay }));
  });
}
