// What follows from the outcome of an attempt: a tracking point, or the mail on its way to the retry-scheduler. Pure.
import type { Outgoing } from "#shared/broker/actor.ts";
import { EXCHANGES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import type { Attempt, DeferredMessage } from "#shared/contracts/attempt.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import type { CarriedMail } from "#shared/contracts/outgoing.ts";
import { eventToPublish, trackedMailOf } from "#shared/contracts/outgoing.ts";
import { smtpContentOf } from "#shared/email/smtp-content.ts";

function deferred({ mail, content }: CarriedMail, rest: Pick<DeferredMessage, "attempt" | "waiting">): Outgoing {
  const body: DeferredMessage = { version: MESSAGE_VERSION, mail, ...rest };
  return {
    exchange: EXCHANGES.attempts,
    routingKey: ROUTING_KEYS.deferred,
    type: "deferred",
    body,
    content,
    messageId: `${mail.mailId}.${mail.attempt}`,
  };
}

/** A mail whose destination is set aside: it waits on the ladder, no attempt counted. */
export function setAside(carried: CarriedMail, text: string): Outgoing {
  return deferred({ ...carried, mail: { ...carried.mail, putBack: true } }, { waiting: text });
}

export function followUpOf(carried: CarriedMail, attempt: Attempt, at: Date): Outgoing {
  const { mail, content } = carried;
  const { status } = attempt.result;
  if (status === "deferred") {
    return deferred({ mail: { ...mail, putBack: false, suspectWaits: 0 }, content }, { attempt });
  }
  const smtp = smtpContentOf(attempt);
  const isAccepted = status === "accepted";
  return eventToPublish(trackedMailOf(mail), {
    point: isAccepted ? "DELIVERED" : "HARD_BOUNCE",
    attempt: attempt.attempt,
    at,
    description: isAccepted ? "mail delivered" : (smtp.reason ?? "mail bounced"),
    smtp,
    record: { lane: attempt.lane, relay: attempt.relay ?? "", attempt },
  });
}
