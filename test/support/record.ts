// A record of many mails, for what is asked of it: made by the notifier's own rules and written in bulk.
import type { RecordedEvent } from "../../services/notifier/record.ts";
import { mergeEvents } from "../../services/notifier/record.ts";
import { makeEvent } from "#shared/contracts/make-event.ts";
import type { TrackedFact } from "#shared/contracts/make-event.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import type { Store } from "#shared/store/connection.ts";
import type { MailRecord } from "#shared/store/mails.ts";
import { mailsOf } from "#shared/store/mails.ts";

const MINUTE_MS = 60_000;
const BULK = 5_000;

export interface RecordPlan {
  mails: number;
  accounts: number;
  newest: Date;
}

function attemptOf(index: number, at: Date): NonNullable<NonNullable<TrackedFact["record"]>["attempt"]> {
  return {
    attempt: 1,
    at: at.toISOString(),
    durationMs: 12,
    lane: `delivery.relay.acct-${index % 7}.example.com`,
    relay: `relay-${index % 7}.example.net`,
    result: {
      status: "accepted",
      origin: "remote",
      blame: "mail",
      replyCode: 250,
      enhancedStatus: "2.0.0",
      text: `250 2.0.0 Ok: queued as Q${index}`,
      remoteQueueId: `Q${index}`,
    },
  };
}

/** Of ten mails seven are delivered, one waits for a retry, one is bounced, one takes the default route. */
function eventsOf(index: number, plan: RecordPlan): RecordedEvent[] {
  const at = new Date(plan.newest.getTime() - (plan.mails - index) * 10);
  const account = `acct-${index % plan.accounts}`;
  const isRelayed = index % 10 !== 9;
  const jobId = `job-${Math.floor(index / 2)}`;
  const head = {
    jobId,
    account,
    customerNo: "4711",
    receivedTs: at.toISOString(),
    deadline: new Date(at.getTime() + 48 * 60 * MINUTE_MS).toISOString(),
    envelopeFrom: `sender-${index % 50}@example.com`,
    sender: `sender-${index % 50}@example.com`,
    from: "Sender <sender@example.com>",
    bulk: false,
  };
  const mail = {
    head,
    mailId: mailIdOf(jobId, index % 2),
    email: `To <to-${index % 40_000}@example.org>`,
    recipient: `to-${index % 40_000}@example.org`,
  };
  const record = {
    mails: 2,
    lane: `delivery.relay.${account}.example.com`,
    relay: isRelayed ? `relay-${index % 7}.example.net` : "",
  };
  const events = [makeEvent(mail, { point: "STARTED", attempt: 0, at, record })];
  if (index % 10 === 7) events.push(makeEvent(mail, { point: "DEFERRED", attempt: 1, at, record }));
  else if (index % 10 === 8) events.push(makeEvent(mail, { point: "HARD_BOUNCE", attempt: 1, at, record }));
  else
    events.push(
      makeEvent(mail, { point: "DELIVERED", attempt: 1, at, record: { ...record, attempt: attemptOf(index, at) } }),
    );
  return events;
}

/** Writes so many mails; the newest was received at `plan.newest`. */
export async function fillRecord(store: Store, plan: RecordPlan): Promise<void> {
  const mails = mailsOf(store);
  const terms = { retentionMs: 30 * 24 * 60 * MINUTE_MS, hasEndpoint: false };
  for (let begin = 0; begin < plan.mails; begin += BULK) {
    const count = Math.min(BULK, plan.mails - begin);
    const records = Array.from({ length: count }, (_, offset) =>
      mergeEvents(undefined, eventsOf(begin + offset, plan), terms),
    );
    const isRecord = (record: MailRecord | undefined): record is MailRecord => record !== undefined;
    await mails.insertMany(records.filter(isRecord), { ordered: false, writeConcern: { w: 1 } });
  }
}
