// The header block of each entry of a JobRequest: what is the same in all of them is encoded once.
import type { JobRequest, JobRequestEntry } from "#shared/contracts/job-request.ts";
import { messageIdsOf, unsubscribeUrisOf } from "#shared/contracts/mail-fields.ts";
import type { JobMessage } from "#shared/contracts/mail.ts";
import type { Mailbox } from "#shared/email/address.ts";
import { isValidAddress, parseMailbox } from "#shared/email/address.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import type { HeaderField } from "#shared/email/headers.ts";
import { addressField, dateField, givenField, headerBlock, plainField, textField } from "#shared/email/headers.ts";

/** The addresses of to, cc and bcc as they were given, in this order. */
export function addressesOf({ mail }: JobRequestEntry): string[] {
  return [...(mail.to ?? []), ...(mail.cc ?? []), ...(mail.bcc ?? [])].map(({ email }) => email);
}

/** Only what is an address is shown: a wrong one is dropped later, and must not spoil the field for the others. */
function mailboxesOf(list: readonly { email: string }[] | undefined): Mailbox[] {
  return (list ?? []).map(({ email }) => parseMailbox(email)).filter(({ address }) => isValidAddress(address));
}

/** The fields that are the same in every mail of the job: encoded once. */
export function commonFields(request: JobRequest, now: Date): (HeaderField | undefined)[] {
  const { subject, mail } = request;
  const transfer = subject.transferEncoding;
  const encoding = transfer === "base64" || transfer === "quoted-printable" ? transfer : "automatic";
  return [
    dateField(now),
    addressField("From", mailboxesOf([mail.mimeFrom ?? mail.from])),
    textField("Subject", subject.text, encoding),
  ];
}

export interface EntryContext {
  request: JobRequest;
  jobId: string;
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
export function entryOf(entry: JobRequestEntry, context: EntryContext): JobMessage["entries"][number] {
  const { request, jobId, common, index } = context;
  const mail = { ...request.mail, ...entry.mail };
  const fromDomain = domainOf(parseMailbox((request.mail.mimeFrom ?? request.mail.from).email).address);
  const messageId = `<${jobId}.${index}@${fromDomain ?? "localhost"}>`;
  const headers = headerBlock([
    plainField("Message-ID", messageId),
    ...common,
    addressField("To", mailboxesOf(entry.mail.to)) ?? hiddenRecipients(entry),
    addressField("Cc", mailboxesOf(entry.mail.cc)),
    addressField("Reply-To", mailboxesOf(mail.replyTo === undefined ? undefined : [mail.replyTo])),
    ...replyFields(mail.inReplyTo),
    ...priorityFields(mail.priority),
    ...unsubscribeFields(entry.mail.listUnsubscribe),
    ...(mail.xHeaders ?? []).map(({ name, value }) => givenField(name, value)),
    plainField("MIME-Version", "1.0"),
  ]);
  const { reference } = entry;
  return { headers, messageId, addresses: addressesOf(entry), ...(reference === undefined ? {} : { reference }) };
}

/** RFC 5322 §3.4: a group without members, where nobody is shown. */
function hiddenRecipients(entry: JobRequestEntry): HeaderField | undefined {
  return mailboxesOf(entry.mail.cc).length > 0 ? undefined : plainField("To", "undisclosed-recipients:;");
}
