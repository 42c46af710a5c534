// The tracking points and messages that follow from a mail's fate after an attempt, or without one.
import type { Outgoing } from "#shared/broker/actor.ts";
import { SUSPECT_TIER_MS } from "#shared/broker/topology.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { CarriedMail } from "#shared/contracts/outgoing.ts";
import { eventToPublish, mailToTier, trackedMailOf } from "#shared/contracts/outgoing.ts";
import type { TrackedFact, TrackedMail } from "#shared/contracts/make-event.ts";
import type { SmtpContent } from "#shared/contracts/push-notification.ts";
import { formatDuration } from "#shared/duration.ts";
import { smtpContentOf } from "#shared/email/smtp-content.ts";
import type { RetryFate } from "./retry-fate.ts";

/** RFC 3463 X.4.7, delivery time expired: the end of a mail that no attempt was made for. */
const DELIVERY_TIME_EXPIRED = "5.4.7";
/** RFC 3463 X.4.1, no answer from host: what a suspended lane comes to for a mail that waits in it. */
const NO_ANSWER = "4.4.1";
/** The DEFERRED that tells of a suspended lane counts as no attempt; it comes once, before all of them. */
const NO_ATTEMPT = 0;

/** Who and where a mail is, for those of its ends that no attempt speaks for. */
export interface Whereabouts {
  lane?: string | undefined;
  relay?: string | undefined;
}

export function consequencesOf(fate: RetryFate, carried: CarriedMail, now: Date): Outgoing[] {
  const { mail, content } = carried;
  const tracked = trackedMailOf(mail);
  switch (fate.kind) {
    case "retry": {
      const description = `attempt ${mail.attempt} failed, the next one follows in ${formatDuration(fate.waitMs)}`;
      return [
        eventToPublish(tracked, { ...factOf(fate.attempt, now), point: "DEFERRED", description }),
        mailToTier({ mail: nextAttempt(carried), content }, fate.waitMs),
      ];
    }
    case "tell-waiting": {
      const waiting = mailToTier({ mail: { ...mail, waitTold: true }, content }, fate.waitMs ?? SUSPECT_TIER_MS);
      return mail.waitTold ? [waiting] : [eventToPublish(tracked, waitingFact(fate.text, mail, now)), waiting];
    }
    case "end":
      return [softBounce(tracked, { attempt: fate.attempt, lane: mail.lane, relay: mail.relay, now })];
    case "tell-outcome":
      return [outcomeAgain(tracked, fate.outcome, now)];
    case "ask-later":
      return [mailToTier({ mail: nextAttempt(carried), content }, fate.waitMs)];
    case "return":
      return [mailToTier({ mail: { ...mail, putBack: true }, content }, SUSPECT_TIER_MS)];
    case "leave":
      return [];
  }
}

function nextAttempt({ mail }: CarriedMail): CarriedMail["mail"] {
  return { ...mail, attempt: mail.attempt + 1, suspectWaits: 0 };
}

function factOf(attempt: Attempt, at: Date): Omit<TrackedFact, "point"> {
  return { attempt: attempt.attempt, at, smtp: smtpContentOf(attempt), record: recordOf(attempt) };
}

function recordOf(attempt: Attempt): NonNullable<TrackedFact["record"]> {
  return { lane: attempt.lane, relay: attempt.relay ?? "", attempt };
}

function waitingFact(text: string, whereabouts: Whereabouts, at: Date): TrackedFact {
  const smtp: SmtpContent = { reason: `deferred (${text})`, ...relayOf(whereabouts), dsn: NO_ANSWER };
  const { lane } = whereabouts;
  return {
    point: "DEFERRED",
    attempt: NO_ATTEMPT,
    at,
    description: text,
    smtp,
    record: lane === undefined ? {} : { lane },
  };
}

export function softBounce(
  mail: TrackedMail,
  { attempt, now, ...whereabouts }: Whereabouts & { attempt: Attempt | undefined; now: Date },
): Outgoing {
  const description = "every attempt failed until the deadline";
  if (attempt === undefined) {
    const reason = "bounced (no attempt could be made until the deadline)";
    const smtp = { reason, ...relayOf(whereabouts), dsn: DELIVERY_TIME_EXPIRED };
    return eventToPublish(mail, { point: "SOFT_BOUNCE", attempt: NO_ATTEMPT, at: now, description, smtp });
  }
  const smtp = smtpContentOf(attempt, "bounced");
  return eventToPublish(mail, { ...factOf(attempt, now), point: "SOFT_BOUNCE", description, smtp });
}

function relayOf({ relay }: Whereabouts): Pick<SmtpContent, "relay"> {
  return relay === undefined || relay === "" ? {} : { relay };
}

/** The end that delivery wrote to its ledger, as delivery tells it; the same tag whoever tells it. */
export function outcomeAgain(mail: TrackedMail, outcome: Attempt, now: Date): Outgoing {
  const isDelivered = outcome.result.status === "accepted";
  const fact = factOf(outcome, now);
  return eventToPublish(mail, {
    ...fact,
    point: isDelivered ? "DELIVERED" : "HARD_BOUNCE",
    description: isDelivered ? "mail delivered" : (fact.smtp?.reason ?? "mail bounced"),
  });
}

/** The end of a mail that no service could handle: it lies in the dead letters. */
export function processingFailed(mail: TrackedMail, reason: string, now: Date): Outgoing {
  return eventToPublish(mail, { point: "PROCESSING_FAILED", attempt: NO_ATTEMPT, at: now, description: reason });
}
