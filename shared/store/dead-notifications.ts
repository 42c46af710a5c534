// Push notifications that no endpoint took within WAYPOST_NOTIFY_DEADLINE: kept to be listed and replayed with the same tags.
// Written by the notifier alone.
import type { Collection, Filter } from "mongodb";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import type { Notification } from "#shared/contracts/push-notification.ts";
import { parseMailbox } from "#shared/email/address.ts";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";
import type { Page } from "./documents.ts";
import { decodeCursor, DEFAULT_LIMIT, MOST_ITEMS, pageOf } from "./documents.ts";
import { ERASED } from "./mail-erasure.ts";

export interface DeadNotification {
  /** The batch's id. */
  _id: string;
  jobId: string;
  account: string;
  /** Without credentials. */
  url: string;
  /** Why the last try failed. */
  reason: string;
  at: Date;
  attempts: number;
  /** Of its mails (recipientOf), for erasure. */
  recipients: readonly string[];
  batch: BatchMessage;
  expiresAt: Date;
}

export interface DeadNotificationView {
  id: string;
  jobId: string;
  account: string;
  url: string;
  reason: string;
  at: string;
  attempts: number;
  /** How many tracking points it holds. */
  notifications: number;
}

export interface DeadNotificationReader {
  /** Oldest first; the cursor continues after an item. */
  list(query: {
    account?: string | undefined;
    cursor?: string | undefined;
    limit?: number | undefined;
  }): Promise<Page<DeadNotificationView>>;
}

export type DeadChoice = { account: string } | { ids: readonly string[] };

export interface DeadNotifications extends DeadNotificationReader {
  add(dead: DeadNotification): Promise<void>;
  /** The first so many of those that are chosen and were dead before a moment. */
  take(choice: DeadChoice & { before: Date }, limit: number): Promise<readonly DeadNotification[]>;
  /** As they were taken: one that died again meanwhile stays. */
  remove(taken: readonly DeadNotification[]): Promise<void>;
  erase(address: string): Promise<number>;
  forget(account: string): Promise<void>;
}

function deadOf(store: Store): Collection<DeadNotification> {
  return store.collection<DeadNotification>("dead-notifications");
}

export async function ensureDeadNotificationIndexes(store: Store): Promise<void> {
  await guardLong(() =>
    deadOf(store).createIndexes([
      { name: "account", key: { account: 1, _id: 1 } },
      { name: "recipients", key: { recipients: 1 } },
      { name: "retention", key: { expiresAt: 1 }, expireAfterSeconds: 0 },
    ]),
  );
}

function viewOf(dead: DeadNotification): DeadNotificationView {
  const { _id, jobId, account, url, reason, at, attempts, batch } = dead;
  return {
    id: _id,
    jobId,
    account,
    url,
    reason,
    at: at.toISOString(),
    attempts,
    notifications: batch.push.notifications.length,
  };
}

/** The address of a notification's mail, in its comparable spelling. */
export function recipientOf({ meta }: Notification): string {
  return comparableAddress(parseMailbox(meta.mail.email).address);
}

export function recipientsOf(notifications: readonly Notification[]): string[] {
  return [...new Set(notifications.map((notification) => recipientOf(notification)))];
}

function erased({ meta, content }: Notification): Notification {
  const { description: _description, ...event } = meta.event;
  const told = { ...meta, mail: { ...meta.mail, email: ERASED }, event };
  return content?.smtp === undefined
    ? { meta: told }
    : { meta: told, content: { smtp: { ...content.smtp, reason: ERASED } } };
}

function erasedWhere(dead: DeadNotification, isErased: (notification: Notification) => boolean): DeadNotification {
  const { batch } = dead;
  const notifications = batch.push.notifications.map((told) => (isErased(told) ? erased(told) : told));
  const push = { ...batch.push, notifications };
  return { ...dead, recipients: recipientsOf(notifications), batch: { ...batch, push } };
}

/** `address`: in its comparable spelling. */
export function withoutRecipient(dead: DeadNotification, address: string): DeadNotification {
  return erasedWhere(dead, (notification) => recipientOf(notification) === address);
}

export function withoutMails(dead: DeadNotification, mailIds: ReadonlySet<string>): DeadNotification {
  return erasedWhere(dead, ({ meta }) => mailIds.has(meta.mail.id));
}

async function eraseFrom(collection: Collection<DeadNotification>, address: string): Promise<number> {
  const wanted = comparableAddress(address);
  let count = 0;
  for await (const dead of collection.find({ recipients: wanted })) {
    await collection.replaceOne({ _id: dead._id }, withoutRecipient(dead, wanted));
    count += 1;
  }
  return count;
}

export function createDeadNotifications(store: Store): DeadNotifications {
  const collection = deadOf(store);
  const filterOf = (choice: DeadChoice & { before: Date }): Filter<DeadNotification> => ({
    at: { $lte: choice.before },
    ...("account" in choice ? { account: choice.account } : { _id: { $in: [...choice.ids] } }),
  });
  return {
    list: ({ account, cursor, limit = DEFAULT_LIMIT }) =>
      guard(async () => {
        const after = cursor === undefined ? undefined : decodeCursor(cursor);
        const filter: Filter<DeadNotification> = {
          ...(account === undefined ? {} : { account }),
          ...(after === undefined ? {} : { _id: { $gt: after } }),
        };
        const most = Math.min(limit, MOST_ITEMS);
        const found = await collection
          .find(filter)
          .sort({ _id: 1 })
          .limit(most + 1)
          .toArray();
        const { items, ...rest } = pageOf(found, most, (dead) => dead._id);
        return { items: items.map(viewOf), ...rest };
      }),
    add: (dead) => guard(async () => void (await collection.replaceOne({ _id: dead._id }, dead, { upsert: true }))),
    take: (choice, limit) => guard(() => collection.find(filterOf(choice)).sort({ _id: 1 }).limit(limit).toArray()),
    remove: (taken) =>
      guard(async () => {
        if (taken.length === 0) return;
        await collection.deleteMany({ $or: taken.map(({ _id, at }) => ({ _id, at })) });
      }),
    erase: (address) => guardLong(() => eraseFrom(collection, address)),
    forget: (account) => guardLong(async () => void (await collection.deleteMany({ account }))),
  };
}
