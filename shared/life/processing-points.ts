// What is told of a mail that has a route: STARTED and PROCESSED.
import type { Outgoing } from "#shared/broker/actor.ts";
import type { TrackedFact, TrackedMail } from "#shared/contracts/make-event.ts";
import { eventToPublish } from "#shared/contracts/outgoing.ts";

/** STARTED and PROCESSED of one pass lie a millisecond apart: receivers order by time. */
export const STEP_MS = 1;

export interface Processing {
  now: Date;
  /** How many mails the job has. */
  mails: number;
  way: NonNullable<TrackedFact["record"]>;
}

export function processingPoints(mail: TrackedMail, { now, mails, way }: Processing): Outgoing[] {
  const later = new Date(now.getTime() + STEP_MS);
  return [
    eventToPublish(mail, { point: "STARTED", attempt: 0, at: now, record: { mails } }),
    eventToPublish(mail, { point: "PROCESSED", attempt: 0, at: later, record: { mails, ...way } }),
  ];
}
