// One delivery attempt: what it met and how it ended (style, Errors 1). Travels from delivery to retry-scheduler and into the record.
import { z } from "zod";
import { mailMessageSchema, MESSAGE_VERSION } from "./mail.ts";

export const SMTP_STEPS = [
  "resolve",
  "connect",
  "greeting",
  "ehlo",
  "starttls",
  "auth",
  "mail",
  "rcpt",
  "data",
  "dot",
] as const;
export type SmtpStep = (typeof SMTP_STEPS)[number];

export const tlsFactsSchema = z.object({
  requested: z.boolean(),
  established: z.boolean(),
  /** Reads like "TLS1.2". */
  protocol: z.string().optional(),
  cipherSuite: z.string().optional(),
});

export const attemptResultSchema = z.object({
  status: z.enum(["accepted", "deferred", "bounced"]),
  /** `remote`: the server said so; `local`: we concluded it, and there is no reply code. */
  origin: z.enum(["remote", "local"]),
  /** Whose fault a deferral is: the mail's, the connection's or the set-up's; the last two move the lane's breaker. */
  blame: z.enum(["mail", "connection", "setup"]).default("mail"),
  step: z.enum(SMTP_STEPS).optional(),
  /** What we concluded, by its name in `LOCAL_CAUSES` (shared/life/outcome.ts); of local results only. */
  cause: z.string().optional(),
  replyCode: z.int().optional(),
  /** RFC 3463, e.g. "4.4.1"; ours where the server gave none. */
  enhancedStatus: z.string(),
  /** The server's reply, cleaned and bounded, or our own words. */
  text: z.string(),
  host: z.string().optional(),
  address: z.string().optional(),
  port: z.int().optional(),
  localAddress: z.string().optional(),
  tls: tlsFactsSchema.optional(),
  remoteQueueId: z.string().optional(),
  /** The outcome of a final dot of this or of an unrecorded earlier copy is not known. */
  uncertain: z.boolean().optional(),
});
export type AttemptResult = z.infer<typeof attemptResultSchema>;

/** What the record keeps of an attempt, and what the next service needs of it. */
export const attemptSchema = z.object({
  attempt: z.int().positive(),
  /** Start of the attempt; ISO 8601. */
  at: z.iso.datetime({ offset: true }),
  durationMs: z.number().nonnegative(),
  lane: z.string(),
  /** Name of the configured relay; absent on the default route. */
  relay: z.string().optional(),
  result: attemptResultSchema,
});
export type Attempt = z.infer<typeof attemptSchema>;

/** A deferred mail on its way to the retry-scheduler. `mail.attempt` is the attempt that was made. */
export const deferredMessageSchema = z.object({
  version: z.literal(MESSAGE_VERSION),
  mail: mailMessageSchema,
  attempt: attemptSchema.optional(),
  /** A mail told of as waiting in a suspended lane: counted as no attempt. */
  waiting: z.string().optional(),
});
export type DeferredMessage = z.infer<typeof deferredMessageSchema>;
