// The record: one document per mail with its tracking points, attempts and notifications (design, The record and the notifier).
// The notifier alone writes it (mail-writer.ts); everybody else reads through mail-reader.ts.
import type { Collection, IndexDescription } from "mongodb";
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { JobMeta, Notification } from "#shared/contracts/push-notification.ts";
import type { Store } from "./connection.ts";
import { guardLong } from "./connection.ts";

/** A tracking point as it is kept: what every point of the mail has in common stands once, in the record. */
export interface MailPoint {
  tag: string;
  event: Notification["meta"]["event"];
  content?: NonNullable<Notification["content"]>;
}

/** One POST that told of the mail. */
export interface NotificationNote {
  at: Date;
  /** Without credentials. */
  url: string;
  /** The HTTP status; 0 where there was no answer. */
  status: number;
  /** Why it counts as failed. */
  error?: string;
  /** The `webhook-id` of the POST: the same again where it was repeated. */
  id: string;
}

export type MailState = MailPoint["event"]["state"];

export interface MailRecord {
  /** The mail's id. */
  _id: string;
  jobId: string;
  account: string;
  /** The `meta` of the job's push notifications. */
  meta: JobMeta;
  /** How many mails the job has, once the router told. */
  mails?: number;
  receivedAt: Date;
  /** The recipient as it was given, and its address in lower case for searching. */
  email: string;
  recipient: string;
  from: string;
  mimeFrom?: string;
  /** The sender that routing looked at, in lower case. */
  sender: string;
  /** What the application called the mail's entry in its JobRequest. */
  reference?: string;
  deadline: Date;
  traceparent?: string;
  /** The job's own endpoint, sealed; kept until the mail has ended, for points that the sweep makes. */
  endpoint?: string;
  route?: "relay" | "mx";
  /** Name of the relay, the last one where the mail takes the default route by now; absent where it always did. */
  relay?: string;
  lane?: string;
  /** Of the farthest tracking point; never goes back when points come out of order. */
  state: MailState;
  type: MailPoint["event"]["type"];
  subType: MailPoint["event"]["subType"];
  /** How far the mail is: see PROGRESS in services/notifier/record.ts. */
  progress: number;
  /** Present until the mail has ended: what the partial indexes look at. */
  open?: true;
  /** Present where it ended otherwise than DELIVERED. */
  failed?: true;
  finishedAt?: Date;
  points: MailPoint[];
  attempts: Attempt[];
  notifications: NotificationNote[];
  /** Ends that came after the first and differ from it: a defect, counted and never notified. */
  late?: MailPoint[];
  /** Present while the end is still to be told to an endpoint. */
  awaitsNotification?: true;
  /** Present once the recipient's personal data was replaced. */
  erased?: true;
  /** Counts the changes of the tracking points: a merge is written only over the version that it read. */
  version: number;
  expiresAt: Date;
}

const OPEN = { partialFilterExpression: { open: true } } as const;
const NEWEST = { receivedAt: -1, _id: -1 } as const;

/** Newest first, ties in one order: what every search sorts by and every cursor continues. */
export const MAIL_ORDER = NEWEST;

export const MAIL_INDEXES: readonly IndexDescription[] = [
  { name: "newest", key: NEWEST },
  { name: "job", key: { jobId: 1 } },
  { name: "account", key: { account: 1, ...NEWEST } },
  { name: "recipient", key: { recipient: 1, ...NEWEST } },
  { name: "sender", key: { sender: 1, ...NEWEST } },
  { name: "relay", key: { relay: 1, ...NEWEST }, partialFilterExpression: { relay: { $exists: true } } },
  {
    name: "queueId",
    key: { "attempts.result.remoteQueueId": 1 },
    partialFilterExpression: { "attempts.result.remoteQueueId": { $exists: true } },
  },
  { name: "failed", key: NEWEST, partialFilterExpression: { failed: true } },
  { name: "late", key: { receivedAt: -1 }, partialFilterExpression: { "late.tag": { $exists: true } } },
  { name: "open", key: NEWEST, ...OPEN },
  { name: "openByLane", key: { account: 1, lane: 1 }, ...OPEN },
  // Most mails are recorded with their end at once, and never stand in it.
  {
    name: "untold",
    key: { account: 1, lane: 1, receivedAt: 1 },
    partialFilterExpression: { open: true, type: "PROCESSED" },
  },
  { name: "openByDeadline", key: { deadline: 1 }, ...OPEN },
  { name: "retention", key: { expiresAt: 1 }, expireAfterSeconds: 0 },
];

export function mailsOf(store: Store): Collection<MailRecord> {
  return store.collection<MailRecord>("mails");
}

/** Makes the indexes; called by the notifier at its start. Throws StoreUnavailable. */
export async function ensureMailIndexes(store: Store): Promise<void> {
  await guardLong(() => mailsOf(store).createIndexes([...MAIL_INDEXES]));
}
