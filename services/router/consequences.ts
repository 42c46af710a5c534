// What follows from a mail's fate, as messages: STARTED, PROCESSED and the mail to its lane, or its end.
import type { Outgoing } from "#shared/broker/actor.ts";
import { eventToPublish, mailToExpired, mailToLane, trackedMailOf } from "#shared/contracts/outgoing.ts";
import { processingPoints, STEP_MS } from "#shared/life/processing-points.ts";
import type { MailFate } from "./split.ts";

export interface Moment {
  now: Date;
  /** How many mails the job has. */
  mails: number;
  /** Behind the JSON of the job; the same bytes for each of its mails. */
  content: Buffer;
}

export function consequencesOf(fate: MailFate, { now, mails, content }: Moment): Outgoing[] {
  const later = new Date(now.getTime() + STEP_MS);
  switch (fate.kind) {
    case "dropped": {
      const { point, description } = fate;
      return [eventToPublish(fate.mail, { point, attempt: 0, at: now, description, record: { mails } })];
    }
    case "failed":
      return [
        eventToPublish(fate.mail, { point: "STARTED", attempt: 0, at: now, record: { mails } }),
        eventToPublish(fate.mail, {
          point: "PROCESSING_FAILED",
          attempt: 0,
          at: later,
          description: fate.reason,
          record: { mails },
        }),
      ];
    case "routed": {
      const tracked = trackedMailOf(fate.mail);
      const carried = { mail: fate.mail, content };
      const isOver = Date.parse(fate.mail.head.deadline) <= now.getTime();
      return [
        ...processingPoints(tracked, { now, mails, way: wayOf(fate) }),
        isOver ? mailToExpired(carried) : mailToLane(carried, now),
      ];
    }
  }
}

/** `relay` "" says the default route. */
function wayOf({ route, lane }: Extract<MailFate, { kind: "routed" }>): {
  lane: string;
  relay: string;
  relayDomain?: string;
} {
  if (route.kind === "mx") return { lane: lane.name, relay: "" };
  return { lane: lane.name, relay: route.relay.host, relayDomain: route.relay.domain };
}
