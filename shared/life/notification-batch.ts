// How tracking points become batches: of one job, in the order of each mail's life, at most so many in one POST; and how long
// a batch may wait for more. Pure rules.
//
//   full (WAYPOST_NOTIFY_BATCH)          goes at once; what is too long for one POST goes in several
//   the job has nothing more to tell     goes at once
//   quiet, a job of one mail             a twentieth of WAYPOST_NOTIFY_LINGER after its newest point
//   quiet, another job                   a fifth of it after its newest point
//   never quiet                          WAYPOST_NOTIFY_LINGER after its oldest point
import { createHash } from "node:crypto";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import type { TrackedEvent } from "#shared/contracts/make-event.ts";
import type { Notification } from "#shared/contracts/push-notification.ts";
import { PROGRESS } from "#shared/contracts/tracking-point.ts";

export interface BatchTerms {
  max: number;
  lingerMs: number;
}

/** What is held of a job. */
export interface HeldJob {
  count: number;
  oldestMs: number;
  newestMs: number;
  /** How many mails the job has, where that is known. */
  mails: number | undefined;
  /** How many of them have ended. */
  finished: number;
}

/** In UTF-16 units: as JSON below the 16 MiB that a message or a document may have, whatever stands in it. */
const LONGEST_PART = 2 * 1024 * 1024;
const LENGTH_OF_OTHERS = 1_000;
const QUIET_SHARE_OF_ONE = 20;
const QUIET_SHARE = 5;

/** The moment at which what is held goes out, if nothing more comes; one that is over means now. */
export function dueMs(job: HeldJob, terms: BatchTerms): number {
  const isComplete = job.mails !== undefined && job.finished >= job.mails;
  if (isComplete || job.count >= terms.max) return job.newestMs;
  const quietMs = terms.lingerMs / (job.mails === 1 ? QUIET_SHARE_OF_ONE : QUIET_SHARE);
  return Math.min(job.newestMs + quietMs, job.oldestMs + terms.lingerMs);
}

const pointOf = ({ body }: TrackedEvent) => body.notification.meta.event;
const mailIdOf = ({ body }: TrackedEvent): string => body.notification.meta.mail.id;
const compareTimes = (a: TrackedEvent, b: TrackedEvent): number =>
  Date.parse(pointOf(a).ts) - Date.parse(pointOf(b).ts);
const compareProgress = (a: TrackedEvent, b: TrackedEvent): number =>
  PROGRESS[pointOf(a).type] - PROGRESS[pointOf(b).type];

/** By time; those of one mail in the order of its life, for services whose clocks differ have told of it. */
function ordered(events: readonly TrackedEvent[]): TrackedEvent[] {
  const byTime = events.toSorted(compareTimes);
  const byMail = Map.groupBy(byTime, mailIdOf);
  const lives = new Map([...byMail].map(([mailId, points]) => [mailId, points.toSorted(compareProgress).values()]));
  return byTime.flatMap((event) => lives.get(mailIdOf(event))?.next().value ?? []);
}

/** The same points make the same id: a batch that is made twice is the same message to its receiver. */
function batchIdOf(notifications: readonly Notification[]): string {
  const digest = createHash("sha256");
  for (const notification of notifications) digest.update(notification.meta.tag);
  return `msg_${digest.digest("hex").slice(0, 32)}`;
}

/** About: what is as long as others made it, and the rest. */
function lengthOf({ body: { notification } }: TrackedEvent): number {
  const { mail, event } = notification.meta;
  const { mime, smtp } = notification.content ?? {};
  const long = [mail.email, mail.from, mail.mimeFrom, event.description, mime?.messageId, smtp?.reason];
  return long.reduce((sum, text) => sum + (text?.length ?? 0), LENGTH_OF_OTHERS);
}

/** The events in their order, at most so many together, and of long ones no more than fit into a message. */
function parted(events: readonly TrackedEvent[], most: number): TrackedEvent[][] {
  const parts: TrackedEvent[][] = [];
  let room = 0;
  for (const event of events) {
    const length = lengthOf(event);
    const part = parts.at(-1);
    room -= length;
    if (part !== undefined && part.length < most && room >= 0) part.push(event);
    else {
      parts.push([event]);
      room = LONGEST_PART - length;
    }
  }
  return parts;
}

/** Each tag once: of a point that came twice the first copy counts. */
function withoutRepetitions(events: readonly TrackedEvent[]): TrackedEvent[] {
  const byTag = new Map<string, TrackedEvent>();
  for (const event of events) {
    const { tag } = event.body.notification.meta;
    if (!byTag.has(tag)) byTag.set(tag, event);
  }
  return [...byTag.values()];
}

/** The batches of one job's tracking points. */
export function batchesOf(
  events: readonly TrackedEvent[],
  terms: { max: number; deadline: Date },
): readonly BatchMessage[] {
  return parted(ordered(withoutRepetitions(events)), terms.max).flatMap((part): BatchMessage[] => {
    const [first] = part;
    if (first === undefined) return [];
    const { endpoint, traceparent } = first.record;
    const notifications = part.map(({ body }) => body.notification);
    return [
      {
        version: MESSAGE_VERSION,
        batchId: batchIdOf(notifications),
        push: { meta: first.body.meta, notifications },
        ...(endpoint === undefined ? {} : { endpoint }),
        attempts: 0,
        deadline: terms.deadline.toISOString(),
        ...(traceparent === undefined ? {} : { traceparent }),
      },
    ];
  });
}
