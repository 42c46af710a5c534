// Holds recorded tracking points by job until their batch is due (batch.ts), and publishes it. Whoever added a point waits
// for the confirm of the batch that holds it: its delivery is acknowledged after that and not before.
import { LRUCache } from "lru-cache";
import type { Broker, Outgoing } from "#shared/broker/actor.ts";
import { EXCHANGES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import type { BatchTerms, HeldJob } from "#shared/life/notification-batch.ts";
import { batchesOf, dueMs } from "#shared/life/notification-batch.ts";
import type { RecordedEvent } from "./record.ts";

export interface Collector {
  /** Resolves once the batch with this point is confirmed; rejects when the broker did not take it. */
  add(event: RecordedEvent, suspect: boolean): Promise<void>;
  /** From now on nothing waits for more to come (SIGTERM). */
  drain(): void;
}

export interface CollectorOptions {
  broker: Pick<Broker, "publish">;
  clock: Clock;
  terms: BatchTerms & { deadlineMs: number; mostHeld: number };
}

interface Open extends HeldJob {
  jobId: string;
  events: RecordedEvent[];
  suspect: boolean;
  isSent: boolean;
  confirmed: PromiseWithResolvers<void>;
}

/** What a replica has seen of a job, to know when it has nothing more to tell. */
interface Seen {
  mails: number | undefined;
  /** Ends, counted: one that comes again makes a batch go early, and no more. */
  finished: number;
}

const MOST_JOBS_SEEN = 10_000;

/** The message that carries a batch. */
export function batchMessage(batch: BatchMessage, routingKey: string, suspect?: boolean): Outgoing {
  return {
    exchange: EXCHANGES.notifications,
    routingKey,
    type: "batch",
    body: batch,
    messageId: batch.batchId,
    traceparent: batch.traceparent,
    ...(suspect === undefined ? {} : { suspect }),
  };
}

interface JobMemory {
  note(event: RecordedEvent): Seen;
  forget(jobId: string): void;
}

function createJobMemory(): JobMemory {
  const jobs = new LRUCache<string, Seen>({ max: MOST_JOBS_SEEN });
  return {
    forget: (jobId) => void jobs.delete(jobId),
    note: ({ body, record }) => {
      const { jobId } = body.meta;
      const seen = jobs.get(jobId) ?? { mails: undefined, finished: 0 };
      seen.mails ??= record.mails;
      if (body.notification.meta.event.state === "FINISHED") seen.finished += 1;
      jobs.set(jobId, seen);
      return seen;
    },
  };
}

function beginJob(jobId: string, nowMs: number): Open {
  return {
    jobId,
    count: 0,
    oldestMs: nowMs,
    newestMs: nowMs,
    mails: undefined,
    finished: 0,
    events: [],
    suspect: false,
    isSent: false,
    confirmed: Promise.withResolvers<void>(),
  };
}

/** Publishes what is held of a job and tells everybody who waits for it. */
async function publishJob({ broker, clock, terms }: CollectorOptions, job: Open): Promise<void> {
  try {
    const deadline = new Date(clock.nowMs() + terms.deadlineMs);
    const batches = batchesOf(job.events, { max: terms.max, deadline });
    await broker.publish(batches.map((batch) => batchMessage(batch, ROUTING_KEYS.batch, job.suspect)));
    job.confirmed.resolve();
  } catch (error) {
    job.confirmed.reject(error);
  }
}

export function createCollector(options: CollectorOptions): Collector {
  const { clock, terms } = options;
  const open = new Map<string, Open>();
  const memory = createJobMemory();
  let held = 0;
  let isDraining = false;

  const send = (job: Open): void => {
    if (job.isSent) return;
    job.isSent = true;
    open.delete(job.jobId);
    held -= job.events.length;
    if (job.mails !== undefined && job.finished >= job.mails) memory.forget(job.jobId);
    void publishJob(options, job);
  };

  const sendWhenDue = async (job: Open): Promise<void> => {
    while (!job.isSent) {
      const waitMs = dueMs(job, terms) - clock.nowMs();
      // Longer than anything waits: the clock was set back.
      if (waitMs <= 0 || waitMs > terms.lingerMs) return send(job);
      await clock.sleep(waitMs);
    }
  };

  const sendAll = (): void => {
    for (const job of open.values()) send(job);
  };

  const hold = (job: Open, event: RecordedEvent): void => {
    const seen = memory.note(event);
    job.events.push(event);
    job.count = job.events.length;
    job.newestMs = clock.nowMs();
    job.mails = seen.mails;
    job.finished = seen.finished;
    held += 1;
  };

  return {
    drain: () => {
      isDraining = true;
      sendAll();
    },
    add: (event, suspect) => {
      const { jobId } = event.body.meta;
      const known = open.get(jobId);
      const job = known ?? beginJob(jobId, clock.nowMs());
      open.set(jobId, job);
      hold(job, event);
      job.suspect ||= suspect;
      if (isDraining || held >= terms.mostHeld) sendAll();
      else if (dueMs(job, terms) <= clock.nowMs()) send(job);
      else if (known === undefined) void sendWhenDue(job);
      return job.confirmed.promise;
    },
  };
}
