// Makes the message of a job from what was submitted: its head, an entry for each of `recipients`, the shared content.
import { MAX_MAIL_BYTES } from "#shared/contracts/job-request.ts";
import type { JobRequest, JobRequestEntry } from "#shared/contracts/job-request.ts";
import { messageIdsOf, unsubscribeUrisOf } from "#shared/contracts/mail-fields.ts";
import type { JobHead, JobMessage } from "#shared/contracts/mail.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import type { Mailbox } from "#shared/email/address.ts";
import { comparableAddress, domainOf, isValidAddress, parseMailbox, wireAddress } from "#shared/email/address.ts";
import type { HeaderField } from "#shared/email/headers.ts";
import { addressField, dateField, headerBlock, plainField, textField } from "#shared/email/headers.ts";
import { composeContent } from "#shared/email/mime.ts";
import type { Account } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { Problem } from "./problem.ts";
import { problemOf } from "./problem.ts";
import type { ReadyMessage, Submission } from "./submission.ts";

/** Of all entries together: they travel in one message. */
const MAX_HEADER_BYTES = 8 * 1024 * 1024;

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
  if (content.kind === "request") return parseMailbox(content.request.mail.from.email).address;
  const { envelopeFrom, headerFrom } = content.ready;
  return envelopeFrom === "" ? parseMailbox(headerFrom ?? "").address : envelopeFrom;
}

export async function prepareJob(submission: Submission, facts: JobFacts, sealer: Sealer): Promise<Preparation> {
  const { content, account } = submission;
  return content.kind === "request"
    ? prepareRequest(content.request, { account, facts, sealer })
    : prepareReady(content.ready, { account, facts, sealer });
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

function prepareReady(ready: ReadyMessage, surroundings: Surroundings): Preparation {
  const { envelopeFrom, headerFrom, messageId, recipients, message } = ready;
  const sender = envelopeFrom === "" ? parseMailbox(headerFrom ?? "").address : envelopeFrom;
  const head = headOf(surroundings, { envelopeFrom, sender, from: envelopeFrom, mimeFrom: headerFrom, details: ready });
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
  const common = commonFields(request, facts);
  const entries = request.recipients.map((entry, index) => entryOf(entry, { request, facts, common, index }));
  const sizes = entries.map(({ headers }) => Buffer.byteLength(headers));
  const largest = sizes.reduce((most, size) => Math.max(most, size), 0) + content.length;
  const all = sizes.reduce((sum, size) => sum + size, 0);
  if (largest > MAX_MAIL_BYTES) return tooLarge(`the mail is ${largest} bytes as MIME; at most ${MAX_MAIL_BYTES}`);
  if (all > MAX_HEADER_BYTES)
    return tooLarge(`the headers of all entries are ${all} bytes; at most ${MAX_HEADER_BYTES}`);
  const mails = entries.reduce((sum, { addresses }) => sum + addresses.length, 0);
  return { ok: true, job: { message: { version: MESSAGE_VERSION, head, entries }, content, mails } };
}

function tooLarge(detail: string): Preparation {
  return { ok: false, problem: problemOf(413, detail) };
}

function addressesOf({ mail }: JobRequestEntry): string[] {
  return [...(mail.to ?? []), ...(mail.cc ?? []), ...(mail.bcc ?? [])].map(({ email }) => email);
}

/** Only what is an address is shown: a wrong one is dropped later, and must not spoil the field for the others. */
function mailboxesOf(list: readonly { email: string }[] | undefined): Mailbox[] {
  return (list ?? []).map(({ email }) => parseMailbox(email)).filter(({ address }) => isValidAddress(address));
}

/** The fields that are the same in every mail of the job: encoded once. */
function commonFields(request: JobRequest, facts: JobFacts): (HeaderField | undefined)[] {
  const { subject, mail } = request;
  const transfer = subject.transferEncoding;
  const encoding = transfer === "base64" || transfer === "quoted-printable" ? transfer : "automatic";
  return [
    dateField(facts.now),
    addressField("From", mailboxesOf([mail.mimeFrom ?? mail.from])),
    textField("Subject", subject.text, encoding),
  ];
}

interface EntryContext {
  request: JobRequest;
  facts: JobFacts;
  common: readonly (HeaderField | undefined)[];
  index: number;
}

const PRIORITIES = {
  HIGH: ["1 (Highest)", "High", "High"],
  NORMAL: ["3 (Normal)", "Normal", "Normal"],
  LOW: ["5 (Lowest)", "Low", "Low"],
} as const;

function priorityFields(priority: keyof typeof PRIORITIES | undefined): HeaderField[] {
  if (priority === undefined) return [];
  const [x, microsoft, importance] = PRIORITIES[priority];
  return [
    plainField("X-Priority", x),
    plainField("X-MSMail-Priority", microsoft),
    plainField("Importance", importance),
  ];
}

/** RFC 2369, and by RFC 8058 the one-click of https URIs. */
function unsubscribeFields(text: string | undefined): HeaderField[] {
  if (text === undefined) return [];
  const uris = unsubscribeUrisOf(text);
  const list = plainField("List-Unsubscribe", uris.map((uri) => `<${uri}>`).join(", "));
  const isOneClick = uris.some((uri) => /^https:/i.test(uri));
  return isOneClick ? [list, plainField("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")] : [list];
}

function replyFields(inReplyTo: string | undefined): HeaderField[] {
  if (inReplyTo === undefined) return [];
  const ids = messageIdsOf(inReplyTo).join(" ");
  return [plainField("In-Reply-To", ids), plainField("References", ids)];
}

/** A recipient-level field overrides the job-level one (contract). */
function entryOf(entry: JobRequestEntry, context: EntryContext): JobMessage["entries"][number] {
  const { request, facts, common, index } = context;
  const mail = { ...request.mail, ...entry.mail };
  const fromDomain = domainOf(parseMailbox((request.mail.mimeFrom ?? request.mail.from).email).address);
  const messageId = `<${facts.jobId}.${index}@${fromDomain ?? "localhost"}>`;
  const headers = headerBlock([
    plainField("Message-ID", messageId),
    ...common,
    addressField("To", mailboxesOf(entry.mail.to)) ?? hiddenRecipients(entry),
    addressField("Cc", mailboxesOf(entry.mail.cc)),
    addressField("Reply-To", mailboxesOf(mail.replyTo === undefined ? undefined : [mail.replyTo])),
    ...replyFields(mail.inReplyTo),
    ...priorityFields(mail.priority),
    ...unsubscribeFields(entry.mail.listUnsubscribe),
    ...(mail.xHeaders ?? []).map(({ name, value }) => textField(name, value)),
    plainField("MIME-Version", "1.0"),
  ]);
  return { headers, messageId, addresses: addressesOf(entry) };
}

/** RFC 5322 §3.4: a group without members, where nobody is shown. */
function hiddenRecipients(entry: JobRequestEntry): HeaderField | undefined {
  return mailboxesOf(entry.mail.cc).length > 0 ? undefined : plainField("To", "undisclosed-recipients:;");
}
