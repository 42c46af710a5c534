// Jobs in the dead letters: at their deadline their mails, which were never split off, end as DROPPED / PROCESSING_FAILED.
import type { Broker } from "#shared/broker/actor.ts";
import { decodeBody } from "#shared/broker/encoding.ts";
import { jobMessageSchema } from "#shared/contracts/mail.ts";
import type { Log } from "#shared/log.ts";
import type { ParkedJob, ParkedMails } from "#shared/store/parked-mails.ts";
import { inTraceOf } from "#shared/telemetry/propagate.ts";
import { goingOn } from "./going-on.ts";
import { publishEnds } from "./job-ends.ts";

export interface ParkedJobPorts {
  broker: Pick<Broker, "publish">;
  parked: Pick<ParkedMails, "jobs" | "bodyOf">;
  log: Log;
}

/** Ends the mails of parked jobs whose deadline is over and which the record does not know. How many jobs there were. */
export async function endParkedJobs(ports: ParkedJobPorts, now: Date): Promise<number> {
  let ended = 0;
  for await (const letter of ports.parked.jobs(now)) {
    if (await goingOn(ports.log, { jobId: letter.jobId }, () => endParkedJob(ports, letter, now))) ended += 1;
  }
  return ended;
}

/** Whether it had to be ended. */
async function endParkedJob({ broker, parked, log }: ParkedJobPorts, letter: ParkedJob, now: Date): Promise<boolean> {
  const job = jobMessageSchema.safeParse(decodeBody(await parked.bodyOf(letter.id)).json);
  if (!job.success || Date.parse(job.data.head.deadline) > now.getTime()) return false;
  const { head, entries } = job.data;
  const addresses = entries.flatMap((entry) => entry.addresses);
  const reason = `no service could handle its job: ${letter.reason}`;
  await publishEnds(broker, { head, addresses }, { reason, now });
  inTraceOf(head.traceparent, () => log.error({ jobId: letter.jobId }, "sweep.ended_parked_job"));
  return true;
}
