// Jobs in the dead letters: at their deadline their mails, which were never split off, end as DROPPED / PROCESSING_FAILED.
import type { Broker, Outgoing } from "#shared/broker/actor.ts";
import { decodeBody } from "#shared/broker/encoding.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import { jobMessageSchema } from "#shared/contracts/mail.ts";
import { eventToPublish } from "#shared/contracts/outgoing.ts";
import { parseMailbox } from "#shared/email/address.ts";
import type { Log } from "#shared/log.ts";
import type { MailReader } from "#shared/store/mail-reader.ts";
import type { ParkedMails } from "#shared/store/parked-mails.ts";
import type { WaitingJob } from "#shared/store/waiting-jobs.ts";

export interface ParkedJobPorts {
  broker: Pick<Broker, "publish">;
  reader: Pick<MailReader, "hasEnded">;
  parked: Pick<ParkedMails, "jobs" | "bodyOf">;
  log: Log;
}

/** Ends the mails of parked jobs whose deadline is over and which the record does not know. How many jobs there were. */
export async function endParkedJobs({ broker, reader, parked, log }: ParkedJobPorts, now: Date): Promise<number> {
  let ended = 0;
  for (const letter of await parked.jobs()) {
    // A job that was split before it was parked has its mails in the record: they have ends of their own.
    if ((await reader.hasEnded(mailIdOf(letter.jobId, 0))) !== undefined) continue;
    const job = jobMessageSchema.safeParse(decodeBody(await parked.bodyOf(letter.id)).json);
    if (!job.success || Date.parse(job.data.head.deadline) > now.getTime()) continue;
    const { head, entries } = job.data;
    const addresses = entries.flatMap((entry) => entry.addresses);
    await broker.publish(endsOfJob({ head, addresses }, `no service could handle its job: ${letter.reason}`, now));
    log.error({ jobId: letter.jobId }, "sweep.ended_parked_job");
    ended += 1;
  }
  return ended;
}

export function endsOfJob({ head, addresses }: WaitingJob, reason: string, now: Date): Outgoing[] {
  return addresses.map((email, index) =>
    eventToPublish(
      { head, mailId: mailIdOf(head.jobId, index), email, recipient: parseMailbox(email).address },
      {
        point: "PROCESSING_FAILED",
        attempt: 0,
        at: now,
        description: reason.slice(0, LONGEST_REASON),
        record: { mails: addresses.length },
      },
    ),
  );
}

const LONGEST_REASON = 500;
