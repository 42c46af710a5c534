// Builds the tracking point that a service publishes, from the mail it is about.
import type { Attempt } from "./attempt.ts";
import type { EventMessage, EventRecord } from "./event.ts";
import { tagOf } from "./ids.ts";
import type { JobHead } from "./mail.ts";
import type { JobMeta, Notification, SmtpContent } from "./push-notification.ts";
import type { TrackingPointName } from "./tracking-point.ts";
import { TRACKING_POINTS } from "./tracking-point.ts";

export interface TrackedMail {
  head: JobHead;
  mailId: string;
  email: string;
  recipient: string;
  messageId?: string | undefined;
  reference?: string | undefined;
  /** Bytes of the whole MIME. */
  size?: number | undefined;
}

export interface TrackedFact {
  point: TrackingPointName;
  /** 0 before the first attempt. */
  attempt: number;
  at: Date;
  description?: string | undefined;
  smtp?: SmtpContent | undefined;
  record?: Partial<Pick<EventRecord, "mails" | "lane" | "relay" | "relayDomain">> & { attempt?: Attempt };
}

export interface TrackedEvent {
  body: EventMessage;
  record: EventRecord;
}

/** Copies the given keys, leaving out those that are absent: the contract has no nulls. */
function present<T extends object, K extends keyof T>(source: T, keys: readonly K[]): Pick<T, K> {
  const found: Partial<Pick<T, K>> = {};
  for (const key of keys) if (source[key] !== undefined) found[key] = source[key];
  return found as Pick<T, K>;
}

export function jobMetaOf(head: JobHead): JobMeta {
  return {
    account: head.account,
    customerNo: head.customerNo,
    ...present(head, ["tenant"]),
    receivedTs: head.receivedTs,
    jobId: head.jobId,
    version: "1",
    ...present(head, ["referenceJob", "costCenter", "campaignId"]),
  };
}

/** The event of a tracking point: its public body and the notifier's part. The same input gives the same tag. */
export function makeEvent(mail: TrackedMail, fact: TrackedFact): TrackedEvent {
  const notification: Notification = {
    meta: {
      tag: tagOf(mail.mailId, fact.point, fact.attempt),
      mail: { id: mail.mailId, email: mail.email, from: mail.head.from, ...present(mail.head, ["mimeFrom"]) },
      event: { ...TRACKING_POINTS[fact.point], ts: fact.at.toISOString(), ...present(fact, ["description"]) },
    },
  };
  const mime = {
    ...present(mail, ["messageId"]),
    ...(mail.size === undefined ? {} : { size: String(mail.size) }),
  };
  const content = {
    ...(Object.keys(mime).length > 0 ? { mime } : {}),
    ...present(fact, ["smtp"]),
  };
  return {
    body: {
      version: "1",
      meta: jobMetaOf(mail.head),
      notification: Object.keys(content).length > 0 ? { ...notification, content } : notification,
    },
    record: {
      recipient: mail.recipient,
      sender: mail.head.sender,
      deadline: mail.head.deadline,
      ...present(mail, ["reference"]),
      ...fact.record,
      ...present(mail.head, ["endpoint", "traceparent"]),
    },
  };
}
