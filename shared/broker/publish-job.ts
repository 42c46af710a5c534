// What one call of publish waits for: all of its messages confirmed, or given up.
import type { Context } from "@opentelemetry/api";
import type { PublishSpan } from "#shared/telemetry/messaging.ts";
import type { Outgoing } from "./actor.ts";

export interface PublishOptions {
  /** The input was redelivered or suspect. */
  suspect?: boolean;
  /** The context that the publish spans hang on, where the message names none. */
  parent?: Context;
  /** After this time the call fails with BrokerUnavailable; what was sent may still be confirmed. */
  deadlineMs?: number;
}

/** Who waits for the confirm of a message. */
export type Waiter = Pick<PublishJob, "isOver" | "confirmOne" | "fail">;

/** A message with all that it is published with. */
export interface Publishable {
  readonly message: Outgoing;
  readonly body: Buffer;
  readonly contentType: string;
  /** The record as JSON, encoded once though the message may travel twice. */
  readonly record: string | undefined;
  readonly traceparent: string | undefined;
  suspect: boolean;
}

/** One message on its way to its confirm. */
export interface Entry extends Publishable {
  readonly job: Waiter;
  readonly span: PublishSpan | undefined;
  sentAtMs: number;
  /** How often it came back: nacked, returned or unconfirmed. */
  failures: number;
  /** How often of these somebody refused it. */
  refusals: number;
  /** How often of these it was returned: a message that waited long for its confirm may find its queue deleted at last. */
  returns: number;
  returned: boolean;
}

/** What an entry has before it was sent for the first time. */
export const UNSENT = { sentAtMs: 0, failures: 0, refusals: 0, returns: 0, returned: false } as const;

export class PublishJob {
  readonly promise: Promise<void>;
  readonly deadlineMs: number | undefined;
  #remaining: number;
  #settled = false;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;

  constructor(count: number, deadlineMs: number | undefined) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.promise = promise;
    this.deadlineMs = deadlineMs;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#remaining = count;
    if (count === 0) this.#finish(resolve);
  }

  /** Nobody waits any longer: its messages are not sent again. */
  get isOver(): boolean {
    return this.#settled;
  }

  confirmOne(): void {
    this.#remaining -= 1;
    if (this.#remaining === 0) this.#finish(this.#resolve);
  }

  fail(error: Error): void {
    this.#finish(() => this.#reject(error));
  }

  /** The input went back to its queue: what follows from it will be published by whoever takes it next. */
  abandon(): void {
    this.#finish(this.#resolve);
  }

  #finish(settle: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    settle();
  }
}
