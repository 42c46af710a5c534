// Accepting a submission, whichever way it came in: limits, idempotency key, content, and one confirmed publish.
// `accepted` is said after the broker's confirm and not before (design, The promise; Ways in).
import { context, trace } from "@opentelemetry/api";
import type { Broker, Outgoing } from "#shared/broker/actor.ts";
import { EXCHANGES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { ContentRef } from "#shared/contracts/mail.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { Contents } from "#shared/store/contents.ts";
import type { IdempotencyKeys } from "#shared/store/idempotency.ts";
import { ATTRIBUTES } from "#shared/telemetry/names.ts";
import { traceparentOf } from "#shared/telemetry/propagate.ts";
import { createKeyed } from "./idempotency.ts";
import type { JobWatch } from "./job-watch.ts";
import { createLargeJobs } from "./large-jobs.ts";
import type { IngestMetrics } from "./metrics.ts";
import { countMails, prepareJob, senderOf } from "./prepare-job.ts";
import { problemOf } from "./problem.ts";
import type { Rate } from "./rate.ts";
import { mistakesOfSender } from "./sender-domain.ts";
import type { Accept, Acceptance, Identity, Submission } from "./submission.ts";
import type { WaitingMails } from "./waiting-mails.ts";

/** Jobs up to this many addresses are interactive. */
const MOST_INTERACTIVE = 10;
/** Jobs of an account a second, in this replica, from which on they count as a flood. */
const FLOOD_PER_SECOND = 50;
const CONFIRM_TIMEOUT_MS = 8_000;
const RETRY_AFTER_SECONDS = 5;

export interface AcceptorParts {
  configuration: Confirmable;
  broker: Pick<Broker, "publish" | "ready" | "blocked">;
  contents: Pick<Contents, "put">;
  keys: IdempotencyKeys;
  waiting: WaitingMails;
  watch: Pick<JobWatch, "accepted">;
  /** Of `limits.jobsPerSecond`, and of floods. */
  rates: { limit: Rate; flood: Rate };
  sealer: Sealer;
  clock: Clock;
  log: Log;
  metrics: IngestMetrics;
  retryDeadlineMs: number;
}

export function createAcceptor(parts: AcceptorParts): Accept {
  // A clock that is set meanwhile gives no wrong time of accepting.
  const steady = createSteadyClock(parts.clock);
  const acceptKeyed = createKeyed(parts.keys, parts.clock);
  const withinLargeJobs = createLargeJobs(parts.clock);
  const perform = (submission: Submission, identity: Identity): Promise<Acceptance> =>
    acceptWithin(parts, submission, identity);
  const begin = (submission: Submission): Promise<Acceptance> => {
    const identity = {
      jobId: parts.clock.uuid(),
      suspect: submission.suspect === true,
      receivedAt: parts.clock.now(),
    };
    return submission.idempotency === undefined
      ? perform(submission, identity)
      : acceptKeyed(submission, identity, perform);
  };
  const run = async (submission: Submission): Promise<Acceptance> => {
    const refusal = await refusalOf(parts, submission);
    if (refusal !== undefined) return refusal;
    if (!parts.broker.ready) return unavailable(parts.broker.blocked ?? "the broker is away");
    const acceptance = await withinLargeJobs(submission, () => begin(submission));
    return acceptance ?? unavailable("too many large jobs at once");
  };
  return async (submission) => {
    const startedMs = steady.nowMs();
    const acceptance = await run(submission).catch((error: unknown) => {
      if (!isRetriable(error)) throw error;
      parts.log.warn({ err: error, account: submission.account._id }, "ingest.unavailable");
      return unavailable("a backing service is away");
    });
    parts.metrics.count(acceptance, submission, steady.nowMs() - startedMs);
    return acceptance;
  };
}

function unavailable(reason: string): Acceptance {
  return { kind: "unavailable", reason, retryAfterSeconds: RETRY_AFTER_SECONDS };
}

async function refusalOf({ configuration }: AcceptorParts, submission: Submission): Promise<Acceptance | undefined> {
  const errors = await mistakesOfSender(configuration, submission.account, senderOf(submission));
  if (errors.length === 0) return undefined;
  return { kind: "refused", problem: problemOf(422, "The sender's domain is not one of the account's.", errors) };
}

const overLimit = (detail: string, ms: number): Acceptance => ({
  kind: "refused",
  problem: problemOf(429, detail),
  retryAfterSeconds: Math.max(1, Math.ceil(ms / 1_000)),
});

function overRate({ rates }: AcceptorParts, { account: { _id, limits } }: Submission): Acceptance | undefined {
  if (limits.jobsPerSecond === undefined) return undefined;
  const waitMs = rates.limit.take(_id, limits.jobsPerSecond);
  return waitMs === 0 ? undefined : overLimit(`At most ${limits.jobsPerSecond} jobs a second.`, waitMs);
}

/** Reads right from the submission whether it is bulk: many addresses, or one of a flood. */
function isBulk({ rates }: AcceptorParts, submission: Submission): boolean {
  const isFlood = rates.flood.take(submission.account._id, FLOOD_PER_SECOND) > 0;
  return isFlood || countMails(submission) > MOST_INTERACTIVE;
}

/** Within what the account may have waiting, and how fast it may submit. */
async function acceptWithin(parts: AcceptorParts, submission: Submission, identity: Identity): Promise<Acceptance> {
  const { _id: account, limits } = submission.account;
  const mails = countMails(submission);
  const waiting = await parts.waiting.enter(account, mails, limits.waitingMails);
  if (waiting !== undefined) {
    return overLimit(`The account has ${waiting} mails waiting; at most ${limits.waitingMails}.`, 30_000);
  }
  let isAccepted = false;
  try {
    const acceptance = overRate(parts, submission) ?? (await publishJob(parts, submission, identity));
    isAccepted = acceptance.kind === "accepted";
    return acceptance;
  } finally {
    parts.waiting.leave(account, mails, isAccepted);
  }
}

async function publishJob(parts: AcceptorParts, submission: Submission, identity: Identity): Promise<Acceptance> {
  const { sealer, contents, log } = parts;
  // Of the first try: a copy of the job ends when the job does, at once where that is over.
  const deadline = new Date(identity.receivedAt.getTime() + parts.retryDeadlineMs);
  const bulk = isBulk(parts, submission);
  const traceparent = traceparentOf(context.active());
  const facts = { jobId: identity.jobId, now: identity.receivedAt, deadline, bulk, traceparent };
  const prepared = await prepareJob(submission, facts, sealer);
  if (!prepared.ok) return { kind: "refused", problem: prepared.problem };
  const { message, content, mails } = prepared.job;
  const ref = await contents.put(content, mails, deadline);
  await publish(parts, {
    exchange: EXCHANGES.jobs,
    routingKey: bulk ? ROUTING_KEYS.bulk : ROUTING_KEYS.interactive,
    type: "job",
    body: { ...message, content: ref },
    ...carried(ref, content),
    messageId: identity.jobId,
    suspect: identity.suspect,
  });
  parts.watch.accepted({ head: message.head, addresses: message.entries.flatMap((entry) => entry.addresses) });
  trace.getActiveSpan()?.setAttribute(ATTRIBUTES.jobId, identity.jobId);
  log.info({ jobId: identity.jobId, account: submission.account._id, mails, bulk }, "ingest.accepted");
  return { kind: "accepted", jobId: identity.jobId };
}

function carried(ref: ContentRef, content: Buffer): Pick<Outgoing, "content"> {
  return ref.kind === "inline" ? { content } : {};
}

async function publish({ broker }: AcceptorParts, message: Outgoing): Promise<void> {
  await broker.publish([message], { timeoutMs: CONFIRM_TIMEOUT_MS });
}
