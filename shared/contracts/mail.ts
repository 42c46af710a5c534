// A mail as it travels between router, delivery and retry-scheduler, and the job it comes from.
// The body travels behind the JSON of the message or, when large, in the store (shared/store/contents.ts).
import { z } from "zod";

export const MESSAGE_VERSION = 1;

/** Where the shared bytes of a message are: behind its JSON (`inline`), or in the collection `contents`. */
export const contentRefSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("inline"), bytes: z.int().nonnegative() }),
  z.object({ kind: z.literal("stored"), id: z.string(), bytes: z.int().nonnegative() }),
]);
export type ContentRef = z.infer<typeof contentRefSchema>;

/** What every mail of a job has in common. */
export const jobHeadSchema = z.object({
  jobId: z.string(),
  account: z.string(),
  customerNo: z.string(),
  tenant: z.string().optional(),
  /** Acceptance; ISO 8601 with milliseconds. */
  receivedTs: z.iso.datetime({ offset: true }),
  /** End of the retries: acceptance plus WAYPOST_RETRY_DEADLINE; ISO 8601. */
  deadline: z.iso.datetime({ offset: true }),
  referenceJob: z.string().optional(),
  costCenter: z.string().optional(),
  campaignId: z.string().optional(),
  /** MAIL FROM as an address; "" is the null reverse-path. */
  envelopeFrom: z.string(),
  /** The address that routing looks at: the envelope sender, or the header From under a null reverse-path. */
  sender: z.string(),
  /** The envelope sender as it was given, display name included. */
  from: z.string(),
  /** The header From as it was given, where it was given apart. */
  mimeFrom: z.string().optional(),
  /** The job's own endpoint details, sealed under WAYPOST_SECRET_KEY. */
  endpoint: z.string().optional(),
  /** What the job said of message signing; the sender domain decides where it said nothing. */
  messageSigning: z.boolean().optional(),
  /** From a flood (see Ways in of the design): takes the bulk mailboxes. */
  bulk: z.boolean(),
  /** The caller's trace, or ours from acceptance on: the mail's own context. W3C traceparent. */
  traceparent: z.string().optional(),
});
export type JobHead = z.infer<typeof jobHeadSchema>;

/** One entry of `recipients`: its addresses share one MIME, whose header block is `headers`. */
export const jobEntrySchema = z.object({
  /** The entry's own header block, CRLF-terminated lines, before the shared content; "" for SMTP submissions. */
  headers: z.string(),
  messageId: z.string().optional(),
  /** The addresses of to, cc and bcc as they were given, in this order. */
  addresses: z.array(z.string()).min(1),
  /** What the application calls this entry: shown in the record of its mails. */
  reference: z.string().optional(),
});

export const jobMessageSchema = z.object({
  version: z.literal(MESSAGE_VERSION),
  head: jobHeadSchema,
  entries: z.array(jobEntrySchema).min(1),
  /** The shared part of the MIME: what stands below the entries' headers. */
  content: contentRefSchema,
});
export type JobMessage = z.infer<typeof jobMessageSchema>;

export const mailMessageSchema = z.object({
  version: z.literal(MESSAGE_VERSION),
  head: jobHeadSchema,
  mailId: z.string(),
  /** The recipient as it was given, display name included. */
  email: z.string(),
  /** RCPT TO: the bare address. */
  recipient: z.string(),
  headers: z.string(),
  messageId: z.string().optional(),
  /** Of the entry. */
  reference: z.string().optional(),
  content: contentRefSchema,
  /** Wraps the message as multipart/signed (shared/signing/multipart-signed.ts): a base64 CMS signature and its boundary. */
  signature: z.object({ der: z.string(), boundary: z.string() }).optional(),
  /** The attempt that this message asks for, from 1. */
  attempt: z.int().positive(),
  /** The lane that it was put in. */
  lane: z.string(),
  /** Name of the configured relay of that lane, for ends that no attempt preceded; absent on the default route. */
  relay: z.string().optional(),
  /** How often a suspect copy has waited for the ledger to know of its twin. */
  suspectWaits: z.int().nonnegative().default(0),
  /** Set once the mail has been told of as waiting in a suspended lane (a DEFERRED without an attempt). */
  waitTold: z.boolean().default(false),
  /** It has been put back or has waited: it does not stand where its copies expect it, and is claimed before its attempt. */
  putBack: z.boolean().optional(),
});
export type MailMessage = z.infer<typeof mailMessageSchema>;
