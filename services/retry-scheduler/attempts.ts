// The actor of failed and expired attempts.
import type { BatchActor, Delivery, Verdict } from "#shared/broker/actor.ts";
import { QUEUES } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { DeferredMessage } from "#shared/contracts/attempt.ts";
import { deferredMessageSchema } from "#shared/contracts/attempt.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { mailMessageSchema } from "#shared/contracts/mail.ts";
import type { Log } from "#shared/log.ts";
import type { ClaimedAttempt, Ledger } from "#shared/store/ledger.ts";
import type { RetryFate } from "#shared/life/retry-fate.ts";
import { decideDeferred, decideExpired, mayBeUnclaimed, needsLedger } from "#shared/life/retry-fate.ts";
import type { Ladder } from "#shared/life/ladder.ts";
import type { RetryMetrics } from "./metrics.ts";
import { consequencesOf } from "#shared/life/retry-points.ts";
import { inTraceOf } from "#shared/telemetry/propagate.ts";

export interface AttemptPorts {
  ladder: Ladder;
  ledger: Pick<Ledger, "outcomesOf" | "claimed">;
  clock: Clock;
  log: Log;
  metrics: RetryMetrics;
}

type Failed = DeferredMessage | MailMessage;

export function createAttemptsActor(ports: AttemptPorts): BatchActor<Failed> {
  return {
    mailbox: QUEUES.attempts,
    contracts: { deferred: deferredMessageSchema, mail: mailMessageSchema },
    prefetch: 200,
    batch: { max: 100, lingerMs: 1 },
    handleBatch: (deliveries) => Promise.all(deliveries.map((delivery) => handleOne(ports, delivery))),
  };
}

async function handleOne(ports: AttemptPorts, delivery: Delivery<Failed>): Promise<Verdict> {
  const { message, content } = delivery;
  const mail = "mail" in message ? message.mail : message;
  const fate =
    "mail" in message
      ? await fateOfDeferred(ports, message, delivery.suspect)
      : await fateOfExpired(ports, message, delivery.properties.deathReason);
  ports.metrics.countFate(fate);
  logFate(ports, mail, fate);
  return { kind: "done", publish: consequencesOf(fate, { mail, content }, ports.clock.now()) };
}

async function fateOfDeferred(ports: AttemptPorts, message: DeferredMessage, suspect: boolean): Promise<RetryFate> {
  const ground = { ladder: ports.ladder, nowMs: ports.clock.nowMs() };
  if (!needsLedger(message, suspect, ground)) return decideDeferred(message, ground);
  return decideDeferred(message, { ...ground, ...(await askLedger(ports, message.mail)) });
}

async function fateOfExpired(ports: AttemptPorts, mail: MailMessage, deathReason?: string): Promise<RetryFate> {
  const known = await askLedger(ports, mail);
  return decideExpired(mail, { isDeadOfAge: deathReason === "expired", nowMs: ports.clock.nowMs(), ...known });
}

/** Claims first: an attempt that ends in between has its outcome then. */
async function askLedger({ ledger, clock }: AttemptPorts, mail: MailMessage) {
  const isYoung = mayBeUnclaimed(mail, clock.nowMs());
  const claimed = isYoung ? [] : await ledger.claimed(mail.mailId);
  const outcomes = await ledger.outcomesOf(mail.mailId);
  const isOver = ({ attempt, isTakenOver }: ClaimedAttempt): boolean =>
    !isTakenOver && outcomes.some((outcome) => outcome.attempt === attempt);
  return { outcomes, isUnderWay: isYoung || !claimed.every(isOver) };
}

function logFate({ log }: AttemptPorts, mail: MailMessage, fate: RetryFate): void {
  const waitMs = "waitMs" in fate ? fate.waitMs : undefined;
  const ids = { jobId: mail.head.jobId, mailId: mail.mailId, attempt: mail.attempt };
  const facts = { ...ids, lane: mail.lane, fate: fate.kind, waitMs };
  inTraceOf(mail.head.traceparent, () => log.info(facts, "retry.decided"));
}
