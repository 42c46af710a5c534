// Mails and tracking points as messages to publish: where each goes is said here once for all services.
import type { Outgoing } from "#shared/broker/actor.ts";
import {
  EXCHANGES,
  QUEUES,
  ROUTING_KEYS,
  eventRoutingKey,
  laneKeys,
  laneMailboxes,
  waitTier,
} from "#shared/broker/topology.ts";
import type { EventRecord } from "./event.ts";
import type { MailMessage } from "./mail.ts";
import type { TrackedFact, TrackedMail } from "./make-event.ts";
import { makeEvent } from "./make-event.ts";

/** A tracking point: to waypost.events for whoever has bound a queue there, and with others to the notifier. */
export function eventToPublish(mail: TrackedMail, fact: TrackedFact): Outgoing {
  const { body, record } = makeEvent(mail, fact);
  const { event } = body.notification.meta;
  return {
    exchange: EXCHANGES.events,
    routingKey: eventRoutingKey(mail.head.account, event),
    type: "event",
    body,
    record,
    publicRecord: publicRecordOf(record),
    mayBeUnrouted: true,
    ...(event.subType === "HARD_BOUNCE" ? { ownQueue: QUEUES.bounces } : {}),
    packedTo: { exchange: EXCHANGES.points, routingKey: ROUTING_KEYS.points },
    messageId: body.notification.meta.tag,
  };
}

/** Without what the notifier alone needs and may be long. What is long even so, an address that is none, is of no use there. */
function publicRecordOf({ endpoint: _endpoint, reference: _reference, ...record }: EventRecord): object {
  return record;
}

/** The mail that a tracking point is about. */
export function trackedMailOf(mail: MailMessage): TrackedMail {
  return {
    head: mail.head,
    mailId: mail.mailId,
    email: mail.email,
    recipient: mail.recipient,
    messageId: mail.messageId,
    reference: mail.reference,
    size: Buffer.byteLength(mail.headers) + mail.content.bytes,
  };
}

function mailTo(exchange: string, routingKey: string, { mail, content }: CarriedMail): Outgoing {
  return { exchange, routingKey, type: "mail", body: mail, content, messageId: `${mail.mailId}.${mail.attempt}` };
}

export interface CarriedMail {
  mail: MailMessage;
  /** What travels behind the JSON; shared by all mails of a job. */
  content: Buffer;
}

/** To the mailbox of the mail's lane, where it expires at its deadline. */
export function mailToLane(carried: CarriedMail, now: Date): Outgoing {
  const { lane, head } = carried.mail;
  const keys = laneKeys(lane);
  return {
    ...mailTo(EXCHANGES.mails, head.bulk ? keys.bulk : keys.interactive, carried),
    expirationMs: Math.max(0, Date.parse(head.deadline) - now.getTime()),
    declareIfUnroutable: () => Object.values(laneMailboxes(lane)),
  };
}

/** To a tier of the retry ladder, from which it comes back as due. Its span hangs on the mail's own context. */
export function mailToTier(carried: CarriedMail, tierMs: number): Outgoing {
  const { exchange, queue } = waitTier(tierMs);
  return {
    ...mailTo(exchange.name, carried.mail.lane, carried),
    traceparent: carried.mail.head.traceparent,
    declareIfUnroutable: () => [queue],
  };
}

/** To be routed again at once: its lane is no longer the one that it is in. */
export function mailToDue(carried: CarriedMail): Outgoing {
  return { ...mailTo(EXCHANGES.due, carried.mail.lane, carried), traceparent: carried.mail.head.traceparent };
}

/** To its end: its deadline is over. */
export function mailToExpired(carried: CarriedMail): Outgoing {
  return { ...mailTo(EXCHANGES.attempts, ROUTING_KEYS.expired, carried), traceparent: carried.mail.head.traceparent };
}
