// Jobs that their queue took with it before they were split (somebody deleted it): their mails end a minute after the deadline.
import type { Broker } from "#shared/broker/actor.ts";
import { QUEUES } from "#shared/broker/topology.ts";
import type { Log } from "#shared/log.ts";
import type { WaitingJob, WaitingJobs } from "#shared/store/waiting-jobs.ts";
import { inTraceOf } from "#shared/telemetry/propagate.ts";
import { goingOn } from "./going-on.ts";
import { publishEnds } from "./job-ends.ts";

export interface LostJobPorts {
  broker: Pick<Broker, "publish" | "depth">;
  waiting: Pick<WaitingJobs, "overdue" | "recordedMailsOf">;
  log: Log;
}

const AT_ONCE = 200;
const REASON = "its job was lost: the queue that it waited in was deleted";

/** Where a job may still be, or what the record will know it by. */
async function mayWait({ broker }: LostJobPorts): Promise<boolean> {
  const queues = [QUEUES.jobsInteractive, QUEUES.jobsBulk, QUEUES.events];
  const depths = await Promise.all(queues.map((queue) => broker.depth(queue)));
  return depths.some((depth) => depth !== 0);
}

/** Ends those whose deadline was before `until`. How many jobs there were. */
export async function endLostJobs(ports: LostJobPorts, { until, now }: { until: Date; now: Date }): Promise<number> {
  const lost = await ports.waiting.overdue(until, AT_ONCE);
  if (lost.length === 0 || (await mayWait(ports))) return 0;
  let ended = 0;
  for (const job of lost) {
    if (await goingOn(ports.log, { jobId: job.head.jobId }, () => endLostJob(ports, job, now))) ended += 1;
  }
  return ended;
}

async function endLostJob({ broker, waiting, log }: LostJobPorts, job: WaitingJob, now: Date): Promise<boolean> {
  const { jobId, deadline, traceparent } = job.head;
  const recorded = await waiting.recordedMailsOf(jobId);
  await publishEnds(broker, job, { reason: REASON, now, recorded });
  const facts = { jobId, mails: job.addresses.length, deadline };
  inTraceOf(traceparent, () => log.error(facts, "sweep.ended_lost_job"));
  return true;
}
