// The ends of all mails of a job that nobody will split any more: DROPPED / PROCESSING_FAILED for each of its addresses.
import type { Broker, Outgoing } from "#shared/broker/actor.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import { eventToPublish } from "#shared/contracts/outgoing.ts";
import { parseMailbox } from "#shared/email/address.ts";
import type { WaitingJob } from "#shared/store/waiting-jobs.ts";

const LONGEST_REASON = 500;
/** A job may have a million addresses: so many of its ends are in memory at once. */
const TOGETHER = 100;

export interface JobEnd {
  reason: string;
  now: Date;
  /** Mails that have an end of their own. */
  recorded?: ReadonlySet<string>;
}

/** The first mail ends last and alone: once it is recorded the whole job counts as known, and is not looked at again. */
export async function publishEnds(broker: Pick<Broker, "publish">, job: WaitingJob, end: JobEnd): Promise<void> {
  for (let before = job.addresses.length; before > 0;) {
    const from = before === 1 ? 0 : Math.max(1, before - TOGETHER);
    await broker.publish(endsOf(job, end, { from, before }));
    before = from;
  }
}

function endsOf(job: WaitingJob, end: JobEnd, { from, before }: { from: number; before: number }): Outgoing[] {
  const { head, addresses } = job;
  const description = end.reason.slice(0, LONGEST_REASON);
  return addresses.slice(from, before).flatMap((email, index) => {
    const mailId = mailIdOf(head.jobId, from + index);
    if (end.recorded?.has(mailId) === true) return [];
    const mail = { head, mailId, email, recipient: parseMailbox(email).address };
    const record = { mails: addresses.length };
    return [eventToPublish(mail, { point: "PROCESSING_FAILED", attempt: 0, at: end.now, description, record })];
  });
}
