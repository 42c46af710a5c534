// The proof of the promise: every accepted mail has one end in the record or is alive within its window.
import { z } from "zod";
import { QUEUES } from "#shared/broker/topology.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import type { MailReader } from "#shared/store/mail-reader.ts";
import type { UnrecordedJob } from "#shared/store/unrecorded-jobs.ts";
import type { WaitingJob } from "#shared/store/waiting-jobs.ts";
import type { ApiContext } from "./context.ts";
import { timestamp } from "./fields.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";

const DAY_MS = 24 * 3_600_000;
/** From the answer to the record, on a busy system. */
const UNTIL_RECORDED_MS = 60_000;
const MOST_JOBS = 1_000;
const UNKNOWN_JOB = "accepted, and nothing of the job is recorded";

const offender = z.object({
  mailId: z.string(),
  account: z.string(),
  jobId: z.string(),
  problem: z.string(),
  evidence: z.string(),
});
type Offender = z.output<typeof offender>;
type Found = Awaited<ReturnType<MailReader["audit"]>>["late"][number];

function ofMail(mail: Found, problem: string): Offender {
  const { mailId, account, jobId } = mail;
  const evidence = `${mail.type} ${mail.subType}, received ${mail.receivedTs}`;
  return { mailId, account, jobId, problem, evidence };
}

/** Told by the id that its first mail would have. */
function ofJob({ jobId, account, acceptedAt }: UnrecordedJob): Offender {
  const evidence = `accepted ${acceptedAt.toISOString()} under an idempotency key`;
  return {
    mailId: mailIdOf(jobId, 0),
    account,
    jobId,
    problem: UNKNOWN_JOB,
    evidence,
  };
}

function ofWaitingJob({ head, addresses }: WaitingJob): Offender {
  const { jobId, account, receivedTs, deadline } = head;
  const evidence = `accepted ${receivedTs}, ${addresses.length} mails, deadline ${deadline}`;
  return { mailId: mailIdOf(jobId, 0), account, jobId, problem: UNKNOWN_JOB, evidence };
}

/** While jobs or points wait, what is not recorded yet is alive. A record may go a day after its deadline at the earliest. */
async function lostJobs(
  { broker, unrecorded, waiting }: ApiContext,
  window: { since: Date; now: Date },
): Promise<Offender[]> {
  const mailboxes = [QUEUES.jobsInteractive, QUEUES.jobsBulk, QUEUES.events];
  const depths = await Promise.all(mailboxes.map((queue) => broker.depth(queue)));
  if (depths.some((depth) => depth !== 0)) return [];
  const nowMs = window.now.getTime();
  const since = new Date(Math.max(window.since.getTime(), nowMs - DAY_MS));
  const until = new Date(nowMs - UNTIL_RECORDED_MS);
  const kept = await waiting.accepted({ since: window.since, until, limit: MOST_JOBS });
  const known = new Set(kept.map(({ head }) => head.jobId));
  const keyed = await unrecorded.find({ since, until, limit: MOST_JOBS });
  return [...kept.map(ofWaitingJob), ...keyed.filter(({ jobId }) => !known.has(jobId)).map(ofJob)];
}

function promiseOperation(context: ApiContext): Operation {
  return operation({
    method: "GET",
    path: "/v1/audit/promise",
    tag: "Operation",
    summary: "Prove from the record that every accepted mail has one end or is alive within its window",
    params: NOTHING,
    query: z.strictObject({ since: timestamp.optional().describe("received since; a day by default") }),
    body: NOTHING,
    answer: z.object({ checked: z.int(), finished: z.int(), alive: z.int(), offenders: z.array(offender) }),
    refusals: [422, 503],
    handle: async ({ query }) => {
      const now = context.clock.now();
      const since = query.since ?? new Date(now.getTime() - DAY_MS);
      const [audit, lost] = [await context.mails.audit({ since, now }), await lostJobs(context, { since, now })];
      return {
        checked: audit.mails,
        finished: audit.finished,
        alive: audit.alive,
        offenders: [
          ...audit.late.map((mail) => ofMail(mail, "a second, different end")),
          ...audit.overdue.map((mail) => ofMail(mail, "past its deadline without an end")),
          ...lost,
        ],
      };
    },
  });
}

export function promiseOperations(context: ApiContext): Operation[] {
  return [promiseOperation(context)];
}
