// Splits a job into its mails: checks each recipient, routes it, and says what follows. Pure: what it needs was gathered before.
import type { JobHead, JobMessage, MailMessage } from "#shared/contracts/mail.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import type { TrackedMail } from "#shared/contracts/make-event.ts";
import type { Configuration } from "#shared/routing/configuration.ts";
import type { Lane } from "#shared/routing/lane.ts";
import type { Suppression } from "#shared/store/suppressions.ts";
import type { Drop, ReadAddress, RecipientRules } from "#shared/routing/recipient.ts";
import { checkRecipient, suppressionKey } from "#shared/routing/recipient.ts";
import type { SendingRoute } from "./decide-route.ts";
import { decideRoute } from "./decide-route.ts";

/** One address of a job, read once. */
export interface Recipient {
  /** As it was given, display name included. */
  email: string;
  read: ReadAddress | undefined;
  mailId: string;
  headers: string;
  messageId: string | undefined;
  reference: string | undefined;
}

export type MailFate =
  | ({ kind: "dropped"; mail: TrackedMail } & Drop)
  | { kind: "failed"; mail: TrackedMail; reason: string; breaksFailClosed?: true }
  | { kind: "routed"; mail: MailMessage; lane: Lane; route: SendingRoute };

/** Jobs with more addresses than this flow through the bulk mailboxes. */
const INTERACTIVE_ADDRESSES = 10;

export function readRecipients(job: JobMessage, { readAddress }: Pick<RecipientRules, "readAddress">): Recipient[] {
  let index = 0;
  return job.entries.flatMap(({ headers, messageId, reference, addresses }) =>
    addresses.map((email) => {
      const mailId = mailIdOf(job.head.jobId, index);
      index += 1;
      return { email, read: readAddress(email), mailId, headers, messageId, reference };
    }),
  );
}

/** What the suppression list is to be asked for a job. */
export function suppressionKeysOf(head: JobHead, recipients: readonly Recipient[]): string[] {
  return recipients.flatMap(({ read }) => suppressionKey(head.account, read) ?? []);
}

export interface SplitGround {
  recipients: readonly Recipient[];
  suppressions: ReadonlyMap<string, Suppression>;
  configuration: Configuration;
  forbiddenLocalParts: ReadonlySet<string>;
  /** Bytes that came behind the JSON. */
  contentBytes: number;
}

/** The fate of each mail of the job, in the order of its addresses. */
export function splitJob(job: JobMessage, ground: SplitGround): MailFate[] {
  const bulk = job.head.bulk || ground.recipients.length > INTERACTIVE_ADDRESSES;
  const head: JobHead = { ...job.head, bulk };
  const acceptedMs = Date.parse(head.receivedTs);
  const missing = missingContent(job, ground.contentBytes);
  return ground.recipients.map((recipient): MailFate => {
    const key = suppressionKey(head.account, recipient.read);
    const suppression = key === undefined ? undefined : ground.suppressions.get(key);
    const checked = checkRecipient(recipient.read, ground, { suppression, acceptedMs });
    const mail = trackedMailOf(head, job, recipient);
    if (checked.kind === "dropped") return { ...checked, mail };
    if (missing !== undefined) return { kind: "failed", mail, reason: missing };
    const question = { account: head.account, sender: head.sender, recipient: mail.recipient };
    const decision = decideRoute(question, ground.configuration);
    if (decision.kind === "failed") return { ...decision, mail };
    if (decision.kind === "bounce") return { kind: "failed", mail, reason: decision.reason };
    const { lane, route } = decision;
    return {
      kind: "routed",
      lane,
      route,
      mail: mailMessageOf(job, recipient, { head, lane, route, address: mail.recipient }),
    };
  });
}

function trackedMailOf(head: JobHead, job: JobMessage, recipient: Recipient): TrackedMail {
  return {
    head,
    mailId: recipient.mailId,
    email: recipient.email,
    recipient: recipient.read?.address ?? recipient.email,
    messageId: recipient.messageId,
    reference: recipient.reference,
    size: Buffer.byteLength(recipient.headers) + job.content.bytes,
  };
}

function mailMessageOf(
  job: JobMessage,
  recipient: Recipient,
  { head, lane, route, address }: { head: JobHead; lane: Lane; route: SendingRoute; address: string },
): MailMessage {
  return {
    version: MESSAGE_VERSION,
    head,
    mailId: recipient.mailId,
    email: recipient.email,
    recipient: address,
    headers: recipient.headers,
    ...(recipient.messageId === undefined ? {} : { messageId: recipient.messageId }),
    ...(recipient.reference === undefined ? {} : { reference: recipient.reference }),
    content: job.content,
    attempt: 1,
    lane: lane.name,
    ...(route.kind === "relay" ? { relay: route.relay.host } : {}),
    suspectWaits: 0,
    waitTold: false,
    putBack: false,
  };
}

function missingContent({ content }: JobMessage, received: number): string | undefined {
  if (content.kind === "stored" || content.bytes === received) return undefined;
  return `the content of the job is incomplete: ${received} of ${content.bytes} bytes`;
}
