// The sweep of the record: ends mails that are past their deadline and have no FINISHED (design, Retries and the deadline).
// A queue expires only at its head, so a mail may wait behind a younger one past its time. What is found beyond that is a
// defect: counted and logged. The ledger is asked first, and nothing is swept unless the record is known to be complete.
import type { Broker, Outgoing } from "#shared/broker/actor.ts";
import { laneMailboxes, QUEUES } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Ledger } from "#shared/store/ledger.ts";
import type { MailReader, OverdueMail } from "#shared/store/mail-reader.ts";
import type { RecordMarks } from "#shared/store/marks.ts";
import type { ParkedMails } from "#shared/store/parked-mails.ts";
import type { RetryMetrics } from "./metrics.ts";
import { goingOn } from "./going-on.ts";
import type { LostJobPorts } from "./lost-jobs.ts";
import { endLostJobs } from "./lost-jobs.ts";
import { endParkedJobs } from "./parked-jobs.ts";
import { outcomeAgain, processingFailed, softBounce } from "#shared/life/retry-points.ts";
import { inTraceOf } from "#shared/telemetry/propagate.ts";

/** A mail that lies in the dead letters ends at its deadline; any other has this much time to end by itself. */
export const GRACE_MS = 60_000;
const OLDEST_MARK_MS = 60_000;
const SWEEP_MS = 5_000;
/** Overdue mails of one pass, and of those how many are asked for and ended together. */
const AT_ONCE = 2_000;
const TOGETHER = 100;
/** Jobs in the dead letters are looked at in each so many passes. */
const JOBS_EVERY = 6;

export interface SweepPorts {
  broker: Pick<Broker, "publish" | "depth">;
  reader: Pick<MailReader, "overdue">;
  marks: Pick<RecordMarks, "recordedUpTo">;
  ledger: Pick<Ledger, "outcomesOf">;
  parked: ParkedMails;
  waiting: LostJobPorts["waiting"];
  clock: Clock;
  log: Log;
  metrics: RetryMetrics;
}

export interface OverdueFacts {
  /** By the ledger, oldest first. */
  outcomes: readonly Attempt[];
  /** Why it lies in the dead letters. */
  parkedFor: string | undefined;
  /** Messages wait in its lane or on the way to its end: late expiry explains it. */
  isQueued: boolean;
}

export type OverdueFate =
  | { kind: "tell-outcome"; outcome: Attempt; isDefect: true }
  | { kind: "processing-failed"; reason: string; isDefect: false }
  | { kind: "soft-bounce"; attempt: Attempt | undefined; isDefect: boolean }
  | { kind: "not-yet" };

export function decideOverdue(mail: OverdueMail, facts: OverdueFacts, now: Date): OverdueFate {
  const isInGrace = now.getTime() - Date.parse(mail.head.deadline) < GRACE_MS;
  if (isInGrace && facts.parkedFor === undefined) return { kind: "not-yet" };
  const outcome = facts.outcomes.find(({ result }) => result.status !== "deferred");
  if (outcome !== undefined) return isInGrace ? { kind: "not-yet" } : { kind: "tell-outcome", outcome, isDefect: true };
  if (facts.parkedFor !== undefined) {
    return { kind: "processing-failed", reason: `no service could handle it: ${facts.parkedFor}`, isDefect: false };
  }
  return { kind: "soft-bounce", attempt: facts.outcomes.at(-1), isDefect: !facts.isQueued };
}

/** Whether the record is known to be complete up to a minute ago. */
async function isRecordComplete({ marks }: Pick<SweepPorts, "marks">, now: Date): Promise<boolean> {
  const recordedUpTo = await marks.recordedUpTo(now);
  return recordedUpTo !== undefined && now.getTime() - recordedUpTo.getTime() < OLDEST_MARK_MS;
}

/** One pass; how many mails it ended. */
export async function sweep(ports: SweepPorts): Promise<number> {
  const now = ports.clock.now();
  if (!(await isRecordComplete(ports, now))) return 0;
  const until = new Date(now.getTime() - GRACE_MS);
  return (await endOverdue(ports, now)) + (await endLostJobs(ports, { until, now }));
}

async function endOverdue(ports: SweepPorts, now: Date): Promise<number> {
  const overdue = await ports.reader.overdue(now, AT_ONCE);
  if (overdue.length === 0) return 0;
  const parked = await ports.parked.reasonsOf(overdue.map((mail) => mail.mailId));
  const queued = await queuedLanes(ports, overdue);
  let ended = 0;
  for (let start = 0; start < overdue.length; start += TOGETHER) {
    const decided = overdue.slice(start, start + TOGETHER).map(async (mail) => {
      const outcomes = await ports.ledger.outcomesOf(mail.mailId);
      const facts = { outcomes, parkedFor: parked.get(mail.mailId), isQueued: queued.has(mail.lane ?? "") };
      return { mail, fate: decideOverdue(mail, facts, now) };
    });
    ended += await endAll(ports, await Promise.all(decided), now);
  }
  return ended;
}

type End = Exclude<OverdueFate, { kind: "not-yet" }>;

async function endAll(
  ports: SweepPorts,
  decided: readonly { mail: OverdueMail; fate: OverdueFate }[],
  now: Date,
): Promise<number> {
  const ends = decided.flatMap(({ mail, fate }) => (fate.kind === "not-yet" ? [] : [{ mail, fate }]));
  const ended = await Promise.all(
    ends.map(({ mail, fate }) =>
      goingOn(ports.log, { mailId: mail.mailId }, async () => {
        await ports.broker.publish([endOf(mail, fate, now)]);
        report(ports, mail, fate);
        return true;
      }),
    ),
  );
  return ended.filter((isEnded) => isEnded).length;
}

function endOf(mail: OverdueMail, fate: End, now: Date): Outgoing {
  switch (fate.kind) {
    case "tell-outcome":
      return outcomeAgain(mail, fate.outcome, now);
    case "processing-failed":
      return processingFailed(mail, fate.reason, now);
    case "soft-bounce":
      return softBounce(mail, { attempt: fate.attempt, lane: mail.lane, relay: mail.relay, now });
  }
}

/** Lanes that hold messages; all of them while mails wait on the way from a lane to their end. */
async function queuedLanes({ broker }: SweepPorts, overdue: readonly OverdueMail[]): Promise<ReadonlySet<string>> {
  const lanes = [...new Set(overdue.map((mail) => mail.lane ?? ""))];
  const isDeep = async (queue: string): Promise<boolean> => ((await broker.depth(queue)) ?? 0) > 0;
  if ((await isDeep(QUEUES.attempts)) || (await isDeep(QUEUES.due))) return new Set(lanes);
  const queued = new Set<string>();
  for (const lane of lanes.filter((name) => name !== "")) {
    const { interactive, bulk } = laneMailboxes(lane);
    if ((await isDeep(interactive.name)) || (await isDeep(bulk.name))) queued.add(lane);
  }
  return queued;
}

function report(
  { log, metrics }: SweepPorts,
  mail: OverdueMail,
  fate: Exclude<OverdueFate, { kind: "not-yet" }>,
): void {
  const ids = { jobId: mail.head.jobId, mailId: mail.mailId, lane: mail.lane, deadline: mail.head.deadline };
  if (fate.isDefect) {
    metrics.countSwept();
    inTraceOf(mail.head.traceparent, () => log.error({ ...ids, fate: fate.kind }, "sweep.found_mail_without_end"));
    return;
  }
  if (fate.kind === "soft-bounce") metrics.countExpiredLate();
  inTraceOf(mail.head.traceparent, () => log.info({ ...ids, fate: fate.kind }, "sweep.ended"));
}

/** Sweeps every few seconds until stopped. Several schedulers may: what they publish is the same. */
export function startSweep(ports: SweepPorts): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const { clock, log } = ports;
  let passes = 0;
  const pass = async (): Promise<void> => {
    await sweep(ports);
    if (passes % JOBS_EVERY === 0) await endParkedJobs(ports, clock.now());
    passes += 1;
  };
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await clock.sleep(SWEEP_MS * (0.5 + clock.random()), stopped.signal).catch(() => undefined);
      if (stopped.signal.aborted) return;
      await pass().catch((error: unknown) => {
        if (!isRetriable(error)) log.error({ err: error }, "sweep.failed");
      });
    }
  };
  const running = run();
  return {
    stop: () => {
      stopped.abort();
      return running;
    },
  };
}
