// How tracking points become batches: of one job, in the order of each mail's life, at most so many in one POST; and how long
// a batch may wait for more. Pure rules.
//
//   full (WAYPOST_NOTIFY_BATCH)          goes at once
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

const QUIET_SHARE_OF_ONE = 20;
const QUIET_SHARE = 5;

/** The moment at which what is held goes out, if nothing more comes; one that is over means now. */
export function dueMs(job: HeldJob, terms: BatchTerms): number {
  const isComplete = job.mails !== undefined && job.finished >= job.mails;
  if (isComplete || job.count >= terms.max) return job.newestMs;
  const quietMs = terms.lingerMs / (job.mails === 1 ? QUIET_SHARE_OF_ONE : QUIET_SHARE);
  return Math.min(job.newestMs + quietMs, job.oldestMs + terms.lingerMs);
}

function compareEvents(a: TrackedEvent, b: TrackedEvent): number {
  const [left, right] = [a.body.notification.meta.event, b.body.notification.meta.event];
  return Date.parse(left.ts) - Date.parse(right.ts) || PROGRESS[left.type] - PROGRESS[right.type];
}

/** The same points make the same id: a batch that is made twice is the same message to its receiver. */
function batchIdOf(notifications: readonly Notification[]): string {
  const digest = createHash("sha256");
  for (const notification of notifications) digest.update(notification.meta.tag);
  return `msg_${digest.digest("hex").slice(0, 32)}`;
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
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
  const ordered = withoutRepetitions(events).toSorted(compareEvents);
  return chunk(ordered, terms.max).flatMap((part): BatchMessage[] => {
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
