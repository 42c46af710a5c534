// Jobs in the dead letters: at their deadline their mails, which were never split off, end as DROPPED / PROCESSING_FAILED.
import type { Broker } from "#shared/broker/actor.ts";
import { decodeBody } from "#shared/broker/encoding.ts";
import { jobMessageSchema } from "#shared/contracts/mail.ts";
import type { Log } from "#shared/log.ts";
import type { ParkedMails } from "#shared/store/parked-mails.ts";
import { publishEnds } from "./job-ends.ts";

export interface ParkedJobPorts {
  broker: Pick<Broker, "publish">;
  parked: Pick<ParkedMails, "jobs" | "bodyOf">;
  log: Log;
}

/** Ends the mails of parked jobs whose deadline is over and which the record does not know. How many jobs there were. */
export async function endParkedJobs({ broker, parked, log }: ParkedJobPorts, now: Date): Promise<number> {
  let ended = 0;
  for await (const letter of parked.jobs(now)) {
    const job = jobMessageSchema.safeParse(decodeBody(await parked.bodyOf(letter.id)).json);
    if (!job.success || Date.parse(job.data.head.deadline) > now.getTime()) continue;
    const { head, entries } = job.data;
    const addresses = entries.flatMap((entry) => entry.addresses);
    const reason = `no service could handle its job: ${letter.reason}`;
    await publishEnds(broker, { head, addresses }, { reason, now });
    log.error({ jobId: letter.jobId }, "sweep.ended_parked_job");
    ended += 1;
  }
  return ended;
}
