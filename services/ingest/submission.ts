// What the three ways in hand over to be accepted, and what they are told.
import type { EndpointDetails } from "#shared/contracts/endpoint-details.ts";
import type { JobRequest } from "#shared/contracts/job-request.ts";
import type { Account } from "#shared/routing/configuration.ts";
import type { Problem } from "#shared/contracts/problem.ts";

/** A message that came ready made (SMTP): relayed as it is. */
export interface ReadyMessage {
  /** The whole message: Received on top, our control headers removed. */
  message: Buffer;
  /** MAIL FROM; "" is the null reverse-path. */
  envelopeFrom: string;
  /** Who routing takes for the sender: MAIL FROM, under a null reverse-path the address of the header From. */
  sender: string;
  /** The header From as it stands, for what the record shows; undefined where there is none. */
  headerFrom: string | undefined;
  /** RCPT TO, in order. */
  recipients: readonly string[];
  messageId: string | undefined;
  /** What the control headers said. */
  referenceJob?: string | undefined;
  costCenter?: string | undefined;
  campaignId?: string | undefined;
  messageSigning?: boolean | undefined;
  endpoint?: EndpointDetails | undefined;
}

/** Of the caller, and the hash of what it sent (`hashOf`): the same key within 48 h answers the same job id. */
export interface IdempotencyKey {
  key: string;
  bodyHash: string;
  field: "Idempotency-Key" | "message_id";
}

export interface Submission {
  way: "rest" | "smtp" | "broker";
  account: Account;
  content: { kind: "request"; request: JobRequest } | { kind: "ready"; ready: ReadyMessage };
  idempotency?: IdempotencyKey | undefined;
  /** The input was redelivered: what is published carries the mark (broker only). */
  suspect?: boolean | undefined;
}

/** The job that a submission becomes: a new one, or one that was begun before. */
export interface Identity {
  jobId: string;
  suspect: boolean;
  /** Of the first try: a copy is split as the job was, by what the suppression list said then. */
  receivedAt: Date;
}

export type Acceptance =
  /** Confirmed by the broker (and written with majority, where there was a key); `isRepeated`: by the first one under its key. */
  | { kind: "accepted"; jobId: string; isRepeated?: true }
  /** By rule; the same submission again gets the same answer, but for 409 (in progress) and 429 (`retryAfterSeconds`). */
  | { kind: "refused"; problem: Problem; retryAfterSeconds?: number }
  /** The broker cannot confirm, or the database is away. */
  | { kind: "unavailable"; reason: string; retryAfterSeconds: number };

/** Made by `createAcceptor` (accept.ts). Never throws for an expected answer or a broken backing service. */
export type Accept = (submission: Submission) => Promise<Acceptance>;
