// Makes the message of a job from what was submitted: its head, an entry for each of `recipients`, the shared content.
import { setImmediate as othersTurn } from "node:timers/promises";
import { MAX_MAIL_BYTES } from "#shared/contracts/job-request.ts";
import type { JobRequest } from "#shared/contracts/job-request.ts";
import { MOST_IN_HEADER } from "#shared/contracts/job-request-fields.ts";
import { sizeOfMails } from "#shared/contracts/job-size.ts";
import type { JobHead, JobMessage } from "#shared/contracts/mail.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import { parseMailbox, wireAddress } from "#shared/email/address.ts";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import { composeContent } from "#shared/email/mime.ts";
import type { Account } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import { addressesOf, commonFields, entryOf } from "./entry-headers.ts";
import type { Problem } from "#shared/contracts/problem.ts";
import { problemOf } from "./problem.ts";
import type { ReadyMessage, Submission } from "./submission.ts";

/** Headers, references and addresses: they travel in one message, whose JSON is twice as long where all has to be escaped. */
const MAX_ENTRIES_BYTES = 7 * 1024 * 1024;
/** Of entries that are made before other work gets a turn: some 50 ms. */
const BYTES_AT_ONCE = 512 * 1024;
/** Of all mails without their content, in characters: the router makes them at once. */
const MAX_TOGETHER = 128 * 1024 * 1024;

/** As a line (RFC 5322 §2.1.1). */
const MOST_MESSAGE_ID = 998;

export interface JobFacts {
  jobId: string;
  now: Date;
  deadline: Date;
  bulk: boolean;
  traceparent: string | undefined;
}

export interface PreparedJob {
  message: Omit<JobMessage, "content">;
  content: Buffer;
  mails: number;
}
export type Preparation = { ok: true; job: PreparedJob } | { ok: false; problem: Problem };

/** How many mails a submission becomes. */
export function countMails({ content }: Submission): number {
  if (content.kind === "ready") return content.ready.recipients.length;
  return content.request.recipients.reduce((sum, entry) => sum + addressesOf(entry).length, 0);
}

/** The sender as routing looks at it: the envelope sender, or the header From under a null reverse-path. */
export function senderOf({ content }: Submission): string {
  return content.kind === "request" ? parseMailbox(content.request.mail.from.email).address : content.ready.sender;
}

export async function prepareJob(submission: Submission, facts: JobFacts, sealer: Sealer): Promise<Preparation> {
  const { content, account } = submission;
  const prepared =
    content.kind === "request"
      ? await prepareRequest(content.request, { account, facts, sealer })
      : prepareReady(content.ready, { account, facts, sealer });
  const together = prepared.ok ? sizeOfMails(prepared.job.message) : 0;
  return together > MAX_TOGETHER
    ? tooLarge(`what travels with all mails is ${together} characters; at most ${MAX_TOGETHER}`)
    : prepared;
}

interface Surroundings {
  account: Account;
  facts: JobFacts;
  sealer: Sealer;
}

interface HeadParts {
  envelopeFrom: string;
  sender: string;
  from: string;
  mimeFrom: string | undefined;
  details: Pick<ReadyMessage, "referenceJob" | "costCenter" | "campaignId" | "messageSigning" | "endpoint">;
}

function headOf({ account, facts, sealer }: Surroundings, parts: HeadParts): JobHead {
  const { endpoint, referenceJob, costCenter, campaignId, messageSigning } = parts.details;
  return {
    jobId: facts.jobId,
    account: account._id,
    customerNo: account.customerNo,
    ...(account.tenant === undefined ? {} : { tenant: account.tenant }),
    receivedTs: facts.now.toISOString(),
    deadline: facts.deadline.toISOString(),
    ...(referenceJob === undefined ? {} : { referenceJob }),
    ...(costCenter === undefined ? {} : { costCenter }),
    ...(campaignId === undefined ? {} : { campaignId }),
    envelopeFrom: parts.envelopeFrom,
    sender: comparableAddress(parts.sender),
    from: parts.from,
    ...(parts.mimeFrom === undefined ? {} : { mimeFrom: parts.mimeFrom }),
    ...(endpoint === undefined ? {} : { endpoint: sealer.seal(JSON.stringify(endpoint)) }),
    ...(messageSigning === undefined ? {} : { messageSigning }),
    bulk: facts.bulk,
    ...(facts.traceparent === undefined ? {} : { traceparent: facts.traceparent }),
  };
}

/** A field of a message that came ready made, where it is short enough to be told with each tracking point. */
function toldOf(text: string | undefined, most: number): string | undefined {
  return text === undefined || text.length > most ? undefined : text;
}

function prepareReady(ready: ReadyMessage, surroundings: Surroundings): Preparation {
  const { envelopeFrom, sender, recipients, message } = ready;
  const mimeFrom = toldOf(ready.headerFrom, MOST_IN_HEADER);
  const messageId = toldOf(ready.messageId, MOST_MESSAGE_ID);
  const head = headOf(surroundings, { envelopeFrom, sender, from: envelopeFrom, mimeFrom, details: ready });
  const entry = { headers: "", ...(messageId === undefined ? {} : { messageId }), addresses: [...recipients] };
  return {
    ok: true,
    job: {
      message: { version: MESSAGE_VERSION, head, entries: [entry] },
      content: message,
      mails: recipients.length,
    },
  };
}

async function prepareRequest(request: JobRequest, surroundings: Surroundings): Promise<Preparation> {
  const { facts } = surroundings;
  const from = request.mail.from.email;
  const sender = parseMailbox(from).address;
  const head = headOf(surroundings, {
    envelopeFrom: wireAddress(sender),
    sender,
    from,
    mimeFrom: request.mail.mimeFrom?.email,
    details: {
      referenceJob: request.job?.referenceJob,
      costCenter: request.job?.costCenter,
      campaignId: request.job?.campaignId,
      messageSigning: request.job?.options?.messageSigning,
      endpoint: request.notification?.endPoint,
    },
  });
  const { body, alternative, attachments } = request;
  const content = await composeContent({ body, alternative, attachments, seed: facts.jobId });
  const entries = await entriesOf(request, facts);
  if (entries === undefined)
    return tooLarge(`headers, references and addresses of all entries are over ${MAX_ENTRIES_BYTES} bytes`);
  const headerBytes = entries.reduce((most, { headers }) => Math.max(most, Buffer.byteLength(headers)), 0);
  const largest = headerBytes + content.length;
  if (largest > MAX_MAIL_BYTES) return tooLarge(`the mail is ${largest} bytes as MIME; at most ${MAX_MAIL_BYTES}`);
  const mails = entries.reduce((sum, { addresses }) => sum + addresses.length, 0);
  return { ok: true, job: { message: { version: MESSAGE_VERSION, head, entries }, content, mails } };
}

/**
 * Undefined where they are too large together: found out one by one, for what the job says once stands in each of them.
 * Lets other work in between where they are large.
 */
async function entriesOf(request: JobRequest, facts: JobFacts): Promise<JobMessage["entries"] | undefined> {
  const common = commonFields(request, facts.now);
  const entries: JobMessage["entries"] = [];
  let bytes = 0;
  let bytesOfTurn = 0;
  for (const [index, given] of request.recipients.entries()) {
    const entry = entryOf(given, { request, jobId: facts.jobId, common, index });
    const { headers, reference = "", addresses } = entry;
    const added = [headers, reference, ...addresses].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    bytes += added;
    bytesOfTurn += added;
    if (bytes > MAX_ENTRIES_BYTES) return undefined;
    entries.push(entry);
    if (bytesOfTurn < BYTES_AT_ONCE) continue;
    bytesOfTurn = 0;
    await othersTurn();
  }
  return entries;
}

function tooLarge(detail: string): Preparation {
  return { ok: false, problem: problemOf(413, detail) };
}
