// The life of one mail on a virtual clock against a script of relay behaviour, by the rules that the services follow
// (shared/life): attempts, tracking points, and the POSTs that a customer's endpoint would get. Pure.
import type { Outgoing } from "#shared/broker/actor.ts";
import type { Attempt, DeferredMessage } from "#shared/contracts/attempt.ts";
import { deferredMessageSchema } from "#shared/contracts/attempt.ts";
import { eventMessageSchema, eventRecordSchema } from "#shared/contracts/event.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import type { TrackedEvent } from "#shared/contracts/make-event.ts";
import { trackedMailOf } from "#shared/contracts/outgoing.ts";
import type { Notification, PushNotification } from "#shared/contracts/push-notification.ts";
import { followUpOf } from "#shared/life/follow-up.ts";
import type { Ladder } from "#shared/life/ladder.ts";
import type { BatchTerms } from "#shared/life/notification-batch.ts";
import { batchesOf, dueMs } from "#shared/life/notification-batch.ts";
import { outcomeOf } from "#shared/life/outcome.ts";
import { processingPoints, STEP_MS } from "#shared/life/processing-points.ts";
import { decideDeferred, decideExpired } from "#shared/life/retry-fate.ts";
import type { RetryFate } from "#shared/life/retry-fate.ts";
import { consequencesOf } from "#shared/life/retry-points.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import { laneOf, relayLaneName } from "#shared/routing/lane.ts";
import type { Phase, Script } from "./script.ts";
import { phaseAt } from "./script.ts";

export interface SimulationPlan {
  script: Script;
  ladder: Ladder;
  /** From acceptance. */
  deadlineMs: number;
  /** Acceptance. */
  startMs: number;
  account: string;
  from: string;
  to: string;
  /** The relay's name; undefined for the default route. */
  relay: string | undefined;
  batches: BatchTerms;
}

export interface SimulatedPost {
  at: string;
  batchId: string;
  push: PushNotification;
}

export interface Simulation {
  attempts: readonly Attempt[];
  trackingPoints: readonly Notification[];
  notifications: readonly SimulatedPost[];
}

const NOTHING = Buffer.alloc(0);
/** A round number: how long it is has no say in any rule. */
const BYTES = 10_000;

function mailOf({ account, from, to, relay, startMs, deadlineMs }: SimulationPlan): MailMessage {
  const jobId = "simulated";
  const domain = domainOf(to) ?? "";
  const lane =
    relay === undefined
      ? laneOf({ kind: "mx", domain, because: [] }).name
      : relayLaneName(account, domainOf(from) ?? "");
  return {
    version: MESSAGE_VERSION,
    head: {
      jobId,
      account,
      customerNo: account,
      receivedTs: new Date(startMs).toISOString(),
      deadline: new Date(startMs + deadlineMs).toISOString(),
      envelopeFrom: from,
      sender: from,
      from,
      bulk: false,
    },
    mailId: mailIdOf(jobId, 0),
    email: to,
    recipient: to,
    headers: "",
    content: { kind: "inline", bytes: BYTES },
    attempt: 1,
    lane,
    ...(relay === undefined ? {} : { relay }),
    suspectWaits: 0,
    waitTold: false,
  };
}

function attemptOf(plan: SimulationPlan, mail: MailMessage, { phase, now }: { phase: Phase; now: Date }): Attempt {
  const { relay, to } = plan;
  const heard = phase.end.kind === "reply" ? { host: relay ?? `mx.${domainOf(to) ?? to}` } : {};
  return {
    attempt: mail.attempt,
    at: now.toISOString(),
    durationMs: 0,
    lane: mail.lane,
    ...(relay === undefined ? {} : { relay }),
    result: { ...outcomeOf(phase.end), ...heard },
  };
}

function eventsIn(messages: readonly Outgoing[]): TrackedEvent[] {
  return messages.flatMap(({ type, body, record }) =>
    type === "event" ? [{ body: eventMessageSchema.parse(body), record: eventRecordSchema.parse(record) }] : [],
  );
}

const deferredIn = ({ type, body }: Outgoing): DeferredMessage | undefined =>
  type === "deferred" ? deferredMessageSchema.parse(body) : undefined;

/** Until the next attempt, where one follows. */
function waitOf(fate: RetryFate): number | undefined {
  return fate.kind === "retry" || fate.kind === "ask-later" ? fate.waitMs : undefined;
}

interface Life {
  events: TrackedEvent[];
  attempts: Attempt[];
}

/** One attempt and what follows from it; the wait until the next one, or undefined at the mail's end. */
function step(plan: SimulationPlan, mail: MailMessage, turn: { life: Life; nowMs: number; phase: Phase }) {
  const { life, nowMs, phase } = turn;
  const now = new Date(nowMs);
  const carried = { mail, content: NOTHING };
  const attempt = attemptOf(plan, mail, { phase, now });
  life.attempts.push(attempt);
  const followUp = followUpOf(carried, attempt, now);
  const deferred = deferredIn(followUp);
  if (deferred === undefined) {
    life.events.push(...eventsIn([followUp]));
    return undefined;
  }
  const fate = decideDeferred(deferred, { ladder: plan.ladder, nowMs });
  life.events.push(...eventsIn(consequencesOf(fate, { mail: deferred.mail, content: NOTHING }, now)));
  return waitOf(fate);
}

function expire(mail: MailMessage, life: Life, nowMs: number): void {
  const fate = decideExpired(mail, { isDeadOfAge: true, nowMs, outcomes: life.attempts, isUnderWay: false });
  life.events.push(...eventsIn(consequencesOf(fate, { mail, content: NOTHING }, new Date(nowMs))));
}

/** The POSTs of the mail's points, each when it would go out. */
function postsOf(events: readonly TrackedEvent[], plan: SimulationPlan): SimulatedPost[] {
  const posts: SimulatedPost[] = [];
  let held: TrackedEvent[] = [];
  const times = (): number[] => held.map(({ body }) => Date.parse(body.notification.meta.event.ts));
  const due = (): number => {
    const finished = held.filter(({ body }) => body.notification.meta.event.state === "FINISHED").length;
    const job = { count: held.length, oldestMs: Math.min(...times()), newestMs: Math.max(...times()) };
    return dueMs({ ...job, mails: 1, finished }, plan.batches);
  };
  const post = (): void => {
    const atMs = due();
    for (const { batchId, push } of batchesOf(held, { max: plan.batches.max, deadline: new Date(atMs) })) {
      posts.push({ at: new Date(atMs).toISOString(), batchId, push });
    }
    held = [];
  };
  for (const event of events) {
    if (held.length > 0 && due() < Date.parse(event.body.notification.meta.event.ts)) post();
    held.push(event);
  }
  if (held.length > 0) post();
  return posts;
}

export function simulate(plan: SimulationPlan): Simulation {
  const { script, startMs, deadlineMs } = plan;
  let mail = mailOf(plan);
  const way = { lane: mail.lane, relay: plan.relay ?? "" };
  const life: Life = { attempts: [], events: [] };
  life.events.push(...eventsIn(processingPoints(trackedMailOf(mail), { now: new Date(startMs), mails: 1, way })));
  const made = new Map<Phase, number>();
  let nowMs = startMs + STEP_MS;
  for (;;) {
    if (nowMs >= startMs + deadlineMs) {
      expire(mail, life, startMs + deadlineMs);
      break;
    }
    const phase = phaseAt(script, nowMs - startMs, made);
    made.set(phase, (made.get(phase) ?? 0) + 1);
    const waitMs = step(plan, mail, { life, nowMs, phase });
    if (waitMs === undefined) break;
    nowMs += waitMs;
    mail = { ...mail, attempt: mail.attempt + 1 };
  }
  return {
    attempts: life.attempts,
    trackingPoints: life.events.map(({ body }) => body.notification),
    notifications: postsOf(life.events, plan),
  };
}
