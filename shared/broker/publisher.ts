// Confirmed, mandatory publishing: a message counts as published once the broker has confirmed it and did not return it.
// Nacked, returned and unconfirmed messages are published again; where a copy may exist, as suspect (design, Rules 2 and 4).
import type { ChannelModel, ConfirmChannel, Message } from "amqplib";
import type { Clock } from "#shared/clock.ts";
import { BrokerUnavailable, WaypostError } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { MessagingTelemetry } from "#shared/telemetry/messaging.ts";
import type { Outgoing } from "./actor.ts";
import type { Declarer } from "./declarer.ts";
import { AFTER_DELETION_MS } from "./declarer.ts";
import { encodeBody } from "./encoding.ts";
import { publishOptionsOf } from "./properties.ts";
import type { Entry, PublishOptions } from "./publish-job.ts";
import { PublishJob } from "./publish-job.ts";
import { Outstanding } from "./outstanding.ts";

const CONFIRM_TIMEOUT_MS = 10_000;
const SWEEP_MS = 100;
const FIRST_BACKOFF_MS = 20;
const LONGEST_BACKOFF_MS = 3_000;
/** A message that stays unroutable although its queues were declared again: some seconds of trying. */
const MOST_RETURNS = 8;

export interface PublisherOptions {
  log: Log;
  clock: Clock;
  declarer: Declarer;
  telemetry: MessagingTelemetry;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #channel: ConfirmChannel | undefined;
  #model: ChannelModel | undefined;
  #blocked: string | undefined;
  #isTopologyDeclared = false;
  readonly #waiting: Entry[] = [];
  readonly #outstanding = new Outstanding();
  readonly #timed = new Set<PublishJob>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  get isConnected(): boolean {
    return this.#channel !== undefined;
  }

  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** Messages neither confirmed nor given up. */
  get inFlight(): number {
    return this.#outstanding.size + this.#waiting.length;
  }

  async attach(model: ChannelModel): Promise<void> {
    this.#model = model;
    await this.#openChannel(model);
  }

  detach(): void {
    this.#model = undefined;
    this.#channel = undefined;
    this.#blocked = undefined;
  }

  /** Nothing is sent before the exchanges are there; once they were, a missing one shows by itself. */
  topologyDeclared(): void {
    this.#isTopologyDeclared = true;
    this.#pump();
  }

  setBlocked(reason: string | undefined): void {
    this.#blocked = reason;
    this.#outstanding.restartClock(this.#options.clock.nowMs());
    if (reason === undefined) this.#pump();
  }

  close(): void {
    clearInterval(this.#sweeper);
    const closed = new BrokerUnavailable("the service is stopping");
    for (const entry of this.#waiting.splice(0)) entry.job.fail(closed);
    for (const entry of this.#outstanding.takeAll()) entry.job.fail(closed);
  }

  publish(messages: readonly Outgoing[], options: PublishOptions): PublishJob {
    const timed = options.deadlineMs !== undefined;
    const job = new PublishJob(messages.length, options.deadlineMs);
    if (timed && this.#blocked !== undefined) {
      job.fail(new BrokerUnavailable(`the broker takes no messages: ${this.#blocked}`));
      return job;
    }
    for (const message of messages) this.#waiting.push(this.#entryOf(message, job, options));
    if (timed) this.#timed.add(job);
    this.#pump();
    return job;
  }

  #entryOf(message: Outgoing, job: PublishJob, options: PublishOptions): Entry {
    const { bytes, contentType } = encodeBody(message);
    const { span, traceparent } = this.#options.telemetry.startPublish(message, bytes.length, options.parent);
    return {
      message,
      body: bytes,
      contentType,
      job,
      span,
      traceparent,
      suspect: message.suspect ?? options.suspect ?? false,
      sentAtMs: 0,
      failures: 0,
      returned: false,
    };
  }

  #pump(): void {
    const channel = this.#channel;
    if (channel === undefined || this.#blocked !== undefined || !this.#isTopologyDeclared) return;
    let taken = 0;
    while (taken < this.#waiting.length && !this.#outstanding.isFull) {
      const entry = this.#waiting[taken];
      taken += 1;
      if (entry === undefined) continue;
      if (entry.job.isOver) {
        this.#options.telemetry.endPublish(entry.message, entry.span, "abandoned");
        continue;
      }
      if (!this.#send(entry, channel)) {
        taken -= 1;
        break;
      }
    }
    if (taken > 0) this.#waiting.splice(0, taken);
  }

  /** False where the channel has just closed: the entry keeps its place. */
  #send(entry: Entry, channel: ConfirmChannel): boolean {
    const { exchange, routingKey } = entry.message;
    entry.sentAtMs = this.#options.clock.nowMs();
    entry.returned = false;
    this.#outstanding.add(entry);
    try {
      channel.publish(exchange, routingKey, entry.body, publishOptionsOf(entry), (error: Error | null) =>
        this.#onConfirm(entry, error),
      );
      return true;
    } catch (error) {
      this.#outstanding.take(entry);
      if (isChannelClosed(error)) {
        if (this.#channel === channel) this.#channel = undefined;
        return false;
      }
      this.#giveUp(entry, error instanceof Error ? error : new Error(String(error)));
      return true;
    }
  }

  #onConfirm(entry: Entry, error: Error | null): void {
    if (!this.#outstanding.take(entry)) return;
    if (error === null && !entry.returned) {
      this.#options.telemetry.endPublish(entry.message, entry.span, undefined);
      entry.job.confirmOne();
    } else if (error === null) {
      this.#onReturned(entry);
    } else {
      this.#again(entry, true);
    }
    if (this.#waiting.length > 0) this.#pump();
  }

  /** Nacked or never confirmed: a copy may exist. */
  #again(entry: Entry, isUnknown: boolean): void {
    if (entry.job.isOver) return this.#options.telemetry.endPublish(entry.message, entry.span, "abandoned");
    entry.failures += 1;
    if (isUnknown) entry.suspect = true;
    this.#options.telemetry.countRepublish(isUnknown ? "unconfirmed" : "returned");
    if (this.#channel === undefined) {
      this.#waiting.push(entry);
      return;
    }
    const backoff = Math.min(FIRST_BACKOFF_MS * 2 ** (entry.failures - 1), LONGEST_BACKOFF_MS);
    void this.#options.clock.sleep(backoff).then(() => {
      this.#waiting.push(entry);
      this.#pump();
    });
  }

  /** Unroutable: its queues are declared, then it is published again. */
  #onReturned(entry: Entry): void {
    if (entry.job.isOver) return;
    const { exchange, routingKey, declareIfUnroutable } = entry.message;
    if (entry.failures >= MOST_RETURNS) {
      return this.#giveUp(
        entry,
        new WaypostError("UNROUTABLE", `no queue takes ${exchange} with key ${routingKey}`, { retriable: false }),
      );
    }
    this.#options.log.info({ exchange, routingKey, failures: entry.failures }, "broker.unroutable");
    const { clock, declarer } = this.#options;
    clock
      .sleep(AFTER_DELETION_MS)
      .then(() =>
        declareIfUnroutable === undefined ? declarer.declareTopology() : declarer.declareOnce(declareIfUnroutable),
      )
      .catch((error: unknown) => this.#options.log.warn({ err: error, exchange }, "broker.declare_failed"))
      .finally(() => this.#again(entry, false));
  }

  #giveUp(entry: Entry, error: Error): void {
    this.#options.telemetry.endPublish(entry.message, entry.span, error.name);
    entry.job.fail(error);
  }

  #sweep(): void {
    const now = this.#options.clock.nowMs();
    for (const job of this.#timed) {
      if (job.isOver) this.#timed.delete(job);
      else if (now >= (job.deadlineMs ?? Infinity))
        job.fail(new BrokerUnavailable("no confirm from the broker in time"));
    }
    if (this.#blocked !== undefined) return;
    for (const entry of this.#outstanding.olderThan(now - CONFIRM_TIMEOUT_MS)) {
      this.#options.log.warn({ exchange: entry.message.exchange }, "broker.confirm_timeout");
      this.#again(entry, true);
    }
  }

  async #openChannel(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel();
    channel.on("error", (error: Error & { code?: number }) => this.#onChannelError(error));
    channel.on("return", (message) => this.#onReturn(message));
    channel.on("close", () => this.#onChannelClosed(channel));
    this.#channel = channel;
    this.#pump();
  }

  #onReturn(message: Message): void {
    this.#outstanding.markReturned(message);
  }

  #onChannelError(error: Error): void {
    this.#options.log.warn({ err: error }, "broker.publish_channel_closed");
  }

  /** The broker closed the channel (an exchange is missing): declare everything again, then open another. */
  #onChannelClosed(channel: ConfirmChannel): void {
    if (this.#channel === channel) this.#channel = undefined;
    const model = this.#model;
    if (model === undefined) return;
    void this.#reopen(model);
  }

  async #reopen(model: ChannelModel): Promise<void> {
    for (let failures = 0; this.#model === model && this.#channel === undefined; failures += 1) {
      try {
        await this.#options.declarer.declareTopology();
        await this.#openChannel(model);
      } catch (error) {
        if (this.#model !== model) return;
        this.#options.log.debug({ err: error }, "broker.reopen_failed");
        await this.#options.clock.sleep(Math.min(50 * 2 ** failures, LONGEST_BACKOFF_MS));
      }
    }
  }
}

function isChannelClosed(error: unknown): boolean {
  return error instanceof Error && error.name === "IllegalOperationError";
}
