// What a mail's record becomes when tracking points arrive, in whatever order and however often: pure rules.
// The first FINISHED wins (by tag); another end that differs is kept under `late`; the state never goes back.
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { EventMessage, EventRecord } from "#shared/contracts/event.ts";
import { PROGRESS } from "#shared/contracts/tracking-point.ts";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import { keptUntil } from "#shared/life/kept-until.ts";
import { ERASED } from "#shared/store/mail-erasure.ts";
import type { MailPoint, MailRecord } from "#shared/store/mails.ts";

export interface RecordedEvent {
  body: EventMessage;
  record: EventRecord;
}

export interface RecordTerms {
  retentionMs: number;
  /** Whether the mail's tracking points are told to an endpoint. */
  hasEndpoint: boolean;
}

export function mailIdOfEvent(event: RecordedEvent): string {
  return event.body.notification.meta.mail.id;
}

function pointOf({ body }: RecordedEvent): MailPoint {
  const { meta, content } = body.notification;
  return { tag: meta.tag, event: meta.event, ...(content === undefined ? {} : { content }) };
}

/** The point without what a person could be told by: descriptions and replies carry addresses. */
export function erasePoint(point: MailPoint): MailPoint {
  const { description, ...event } = point.event;
  const smtp = point.content?.smtp;
  const { messageId: _messageId, ...mime } = point.content?.mime ?? {};
  return {
    tag: point.tag,
    event: description === undefined ? event : { ...event, description: ERASED },
    ...(point.content === undefined
      ? {}
      : {
          content: {
            ...(Object.keys(mime).length === 0 ? {} : { mime }),
            ...(smtp === undefined ? {} : { smtp: smtp.reason === undefined ? smtp : { ...smtp, reason: ERASED } }),
          },
        }),
  };
}

export function eraseAttempt(attempt: Attempt): Attempt {
  return { ...attempt, result: { ...attempt.result, text: ERASED } };
}

/** The record before its first tracking point is added. */
function begin({ body, record }: RecordedEvent, terms: RecordTerms): MailRecord {
  const { mail, event } = body.notification.meta;
  const receivedAt = new Date(body.meta.receivedTs);
  const deadline = new Date(record.deadline);
  return {
    _id: mail.id,
    jobId: body.meta.jobId,
    account: body.meta.account,
    meta: body.meta,
    receivedAt,
    email: mail.email,
    recipient: comparableAddress(record.recipient),
    from: mail.from,
    ...(mail.mimeFrom === undefined ? {} : { mimeFrom: mail.mimeFrom }),
    sender: comparableAddress(record.sender),
    ...(record.reference === undefined ? {} : { reference: record.reference }),
    deadline,
    ...(record.traceparent === undefined ? {} : { traceparent: record.traceparent }),
    ...(record.endpoint === undefined ? {} : { endpoint: record.endpoint }),
    state: event.state,
    type: event.type,
    subType: event.subType,
    progress: 0,
    open: true,
    points: [],
    attempts: [],
    notifications: [],
    ...(terms.hasEndpoint ? { awaitsNotification: true as const } : {}),
    version: 0,
    expiresAt: keptUntil(receivedAt, terms.retentionMs, deadline),
  };
}

function isSameEnd(a: MailPoint, b: MailPoint): boolean {
  return a.event.type === b.event.type && a.event.subType === b.event.subType;
}

type Facts = Pick<MailRecord, "mails" | "lane" | "route" | "relay">;

function factsOf({ record }: RecordedEvent): Partial<Facts> {
  const { mails, lane, relay } = record;
  return {
    ...(mails === undefined ? {} : { mails }),
    ...(lane === undefined ? {} : { lane }),
    ...(relay === undefined ? {} : { route: relay === "" ? "mx" : "relay" }),
    ...(relay === undefined || relay === "" ? {} : { relay: relay.toLowerCase() }),
  };
}

/** News moves lane and route; a point that comes late tells only what nobody has told yet. */
function withFacts(mail: MailRecord, event: RecordedEvent): MailRecord {
  const facts = factsOf(event);
  if (PROGRESS[event.body.notification.meta.event.type] >= mail.progress) return { ...mail, ...facts };
  const { route, relay, ...others } = facts;
  const way =
    mail.route === undefined && route !== undefined ? { route, ...(relay === undefined ? {} : { relay }) } : {};
  return { ...others, ...way, ...mail };
}

function withAttempt(mail: MailRecord, attempt: Attempt | undefined): MailRecord {
  if (attempt === undefined) return mail;
  const isKnown = mail.attempts.some((known) => known.attempt === attempt.attempt && known.at === attempt.at);
  if (isKnown) return mail;
  return { ...mail, attempts: [...mail.attempts, mail.erased === true ? eraseAttempt(attempt) : attempt] };
}

/** Where no endpoint is told of the end, nothing will be told that is awaited still: it may have been taken away meanwhile. */
function withEnd(mail: MailRecord, point: MailPoint, { hasEndpoint }: RecordTerms): MailRecord {
  const { open: _open, endpoint: _endpoint, awaitsNotification, ...ended } = mail;
  return {
    ...ended,
    ...(hasEndpoint && awaitsNotification === true ? { awaitsNotification } : {}),
    finishedAt: new Date(point.event.ts),
    ...(point.event.type === "DELIVERED" ? {} : { failed: true as const }),
  };
}

const kept = (mail: MailRecord, point: MailPoint): MailPoint => (mail.erased === true ? erasePoint(point) : point);

function withPoint(mail: MailRecord, point: MailPoint, terms: RecordTerms): MailRecord {
  const { type, subType, state } = point.event;
  const points = [...mail.points, kept(mail, point)];
  const progress = PROGRESS[type];
  if (progress < mail.progress) return { ...mail, points };
  const moved = { ...mail, points, type, subType, state, progress };
  return state === "FINISHED" ? withEnd(moved, point, terms) : moved;
}

/** Told of a mail that waits unattempted by somebody who had not heard of its end yet: nothing follows an end. */
function isNoticeAfterEnd({ finishedAt }: MailRecord, event: RecordedEvent): boolean {
  const { type, ts } = pointOf(event).event;
  const isNotice = type === "DEFERRED" && event.record.attempt === undefined;
  return isNotice && finishedAt !== undefined && Date.parse(ts) > finishedAt.getTime();
}

function addEvent(mail: MailRecord, event: RecordedEvent, terms: RecordTerms): MailRecord {
  const point = pointOf(event);
  const known = mail.points.find(({ tag }) => tag === point.tag);
  if (known === undefined && isNoticeAfterEnd(mail, event)) return mail;
  if (known === undefined) {
    return withPoint(withAttempt(withFacts(mail, event), event.record.attempt), point, terms);
  }
  if (point.event.state !== "FINISHED" || isSameEnd(known, point)) return withAttempt(mail, event.record.attempt);
  const isKept = mail.late?.some((late) => isSameEnd(late, point)) === true;
  const told = withAttempt(mail, event.record.attempt);
  return isKept ? told : { ...told, late: [...(mail.late ?? []), kept(mail, point)] };
}

/** The record with these events of its mail added; the same object where they say nothing new. */
export function mergeEvents(
  existing: MailRecord | undefined,
  events: readonly RecordedEvent[],
  terms: RecordTerms,
): MailRecord | undefined {
  const [first] = events;
  if (first === undefined) return existing;
  const before = existing ?? begin(first, terms);
  const after = events.reduce((mail, event) => addEvent(mail, event, terms), before);
  const isChanged = after !== before || existing === undefined;
  return isChanged ? { ...after, version: before.version + 1 } : before;
}

/**
 * Whether it is this telling of the point that is on record, or a repetition of it. Where somebody came to the same point a
 * second time the one on record is notified, when its own message is handled, and no other.
 */
export function isOnRecord(record: MailRecord, event: RecordedEvent): boolean {
  const point = pointOf(event);
  const known = record.points.find(({ tag }) => tag === point.tag);
  return known !== undefined && known.event.ts === point.event.ts && isSameEnd(known, point);
}

/** Whether this end lost against the one on record: it is never notified. */
export function isLate(record: MailRecord, event: RecordedEvent): boolean {
  const point = pointOf(event);
  if (point.event.state !== "FINISHED") return false;
  const known = record.points.find(({ tag }) => tag === point.tag);
  return known !== undefined && !isSameEnd(known, point);
}
