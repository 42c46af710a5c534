// Confirmed, mandatory publishing: a message counts as published once the broker has confirmed it and did not return it.
// Nacked, returned and unconfirmed messages are published again; where a copy may exist, as suspect (design, Rules 2 and 4).
import type { ChannelModel, ConfirmChannel } from "amqplib";
import type { Clock } from "#shared/clock.ts";
import { BrokerUnavailable, WaypostError } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { MessagingTelemetry } from "#shared/telemetry/messaging.ts";
import type { Outgoing } from "./actor.ts";
import type { Declarer } from "./declarer.ts";
import { encodeBody } from "./encoding.ts";
import { afterRefusals, createLetGoLog, isSentOften } from "./letting-go.ts";
import { Outstanding } from "./outstanding.ts";
import { Packer } from "./packer.ts";
import { publishOptionsOf } from "./properties.ts";
import type { Entry, PublishOptions } from "./publish-job.ts";
import { PublishJob, UNSENT } from "./publish-job.ts";
import { PublishChannel } from "./publish-channel.ts";
import { publishPlainly } from "./publish-plainly.ts";

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
  readonly #channel: PublishChannel;
  readonly #sayLetGo: (message: Outgoing) => void;
  #blocked: string | undefined;
  #isTopologyDeclared = false;
  #waiting: Entry[] = [];
  readonly #outstanding = new Outstanding();
  readonly #packer = new Packer((pack) => {
    this.#waiting.push(pack);
    this.#pump();
  });
  readonly #timed = new Set<PublishJob>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#sayLetGo = createLetGoLog(options.clock, options.log);
    this.#channel = new PublishChannel({
      ...options,
      onOpen: () => this.#pump(),
      onReturn: (message) => this.#outstanding.markReturned(message),
    });
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  get isConnected(): boolean {
    return this.#channel.current !== undefined;
  }

  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** Messages neither confirmed nor given up. */
  get inFlight(): number {
    return this.#outstanding.size + this.#waiting.length + this.#packer.size;
  }

  attach(model: ChannelModel): Promise<void> {
    return this.#channel.attach(model);
  }

  detach(): void {
    this.#channel.detach();
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
    this.#packer.close(closed);
    for (const entry of [...this.#waiting.splice(0), ...this.#outstanding.takeAll()]) this.#giveUp(entry, closed);
  }

  publish(messages: readonly Outgoing[], options: PublishOptions): PublishJob {
    const timed = options.deadlineMs !== undefined;
    const packed = messages.filter(({ packedTo }) => packedTo !== undefined).length;
    const job = new PublishJob(messages.length + packed, options.deadlineMs);
    if (timed && this.#blocked !== undefined) {
      job.fail(new BrokerUnavailable(`the broker takes no messages: ${this.#blocked}`));
      return job;
    }
    const entries = messages.map((message) => this.#entryOf(message, job, options));
    for (const entry of entries) this.#waiting.push(entry);
    if (timed) this.#timed.add(job);
    if (packed > 0) this.#packer.add(entries);
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
      record: message.record === undefined ? undefined : JSON.stringify(message.record),
      job,
      span,
      traceparent,
      suspect: message.suspect ?? options.suspect ?? false,
      ...UNSENT,
    };
  }

  #pump(): void {
    const channel = this.#channel.current;
    if (channel === undefined || this.#blocked !== undefined || !this.#isTopologyDeclared) return;
    let taken = 0;
    while (taken < this.#waiting.length && !this.#outstanding.isFull) {
      const entry = this.#waiting[taken];
      taken += 1;
      if (entry === undefined) continue;
      if (entry.job.isOver) {
        this.#abandon(entry);
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
      publishPlainly(channel, { exchange, routingKey, body: entry.body, options: publishOptionsOf(entry) }, (error) =>
        this.#onConfirm(entry, error),
      );
      return true;
    } catch (error) {
      this.#outstanding.take(entry);
      if (isChannelClosed(error)) {
        this.#channel.lose(channel);
        return false;
      }
      this.#giveUp(entry, error instanceof Error ? error : new Error(String(error)));
      return true;
    }
  }

  #onConfirm(entry: Entry, error: Error | null): void {
    if (!this.#outstanding.take(entry)) return;
    if (error === null && !entry.returned) {
      this.#end(entry);
      entry.job.confirmOne();
    } else if (error === null) {
      this.#onReturned(entry);
    } else {
      this.#onRefused(entry);
    }
    if (this.#waiting.length > 0) this.#pump();
    if (this.#outstanding.size === 0) this.#packer.flush();
  }

  /** Lost with its channel, or nacked: of that, so many times are enough where it goes to a queue of somebody else's. */
  #onRefused(entry: Entry): void {
    if (this.#channel.current !== undefined) entry.refusals += 1;
    const next = afterRefusals(entry);
    if (next === "let-go") this.#letGo(entry);
    else this.#again(next === "again" ? entry : { ...entry, message: next }, true);
  }

  /** Nacked or never confirmed: a copy may exist. */
  #again(entry: Entry, isUnknown: boolean): void {
    if (entry.job.isOver) return this.#abandon(entry);
    entry.failures += 1;
    if (isSentOften(entry)) return this.#letGo(entry);
    if (isUnknown) entry.suspect = true;
    this.#options.telemetry.countRepublish(isUnknown ? "unconfirmed" : "returned");
    if (this.#channel.current === undefined) {
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
    if (entry.job.isOver) return this.#abandon(entry);
    const { exchange, routingKey, declareIfUnroutable } = entry.message;
    if (entry.returns >= MOST_RETURNS) {
      return this.#giveUp(
        entry,
        new WaypostError("UNROUTABLE", `no queue takes ${exchange} with key ${routingKey}`, { retriable: false }),
      );
    }
    entry.returns += 1;
    this.#options.log.info({ exchange, routingKey, returns: entry.returns }, "broker.unroutable");
    const { declarer } = this.#options;
    const restored =
      declareIfUnroutable === undefined ? declarer.restoreTopology() : declarer.restore(declareIfUnroutable());
    restored
      .catch((error: unknown) => this.#options.log.warn({ err: error, exchange }, "broker.declare_failed"))
      .finally(() => this.#again(entry, false));
  }

  /** What nobody waits for any longer takes no memory while the broker is away. */
  #forgetWaiting(): void {
    const over = this.#waiting.filter((entry) => entry.job.isOver);
    if (over.length === 0) return;
    this.#waiting = this.#waiting.filter((entry) => !entry.job.isOver);
    for (const entry of over) this.#abandon(entry);
  }

  /** What nobody need be there for, or a queue of somebody else's does not take, is no failure of whoever published it. */
  #letGo(entry: Entry): void {
    this.#sayLetGo(entry.message);
    this.#end(entry, "refused");
    entry.job.confirmOne();
  }

  #giveUp(entry: Entry, error: Error): void {
    this.#end(entry, error.name);
    entry.job.fail(error);
  }

  /** Its job is over. */
  #abandon(entry: Entry): void {
    this.#end(entry, "abandoned");
  }

  #end({ message, span, sentAtMs }: Entry, error?: string): void {
    const seconds = sentAtMs === 0 ? undefined : (this.#options.clock.nowMs() - sentAtMs) / 1_000;
    this.#options.telemetry.endPublish(message, span, { seconds, error });
  }

  #sweep(): void {
    const now = this.#options.clock.nowMs();
    for (const job of this.#timed) {
      if (job.isOver) this.#timed.delete(job);
      else if (now >= (job.deadlineMs ?? Infinity))
        job.fail(new BrokerUnavailable("no confirm from the broker in time"));
    }
    if (this.#channel.current === undefined || this.#blocked !== undefined) return this.#forgetWaiting();
    for (const entry of this.#outstanding.olderThan(now - CONFIRM_TIMEOUT_MS)) {
      this.#options.log.warn({ exchange: entry.message.exchange }, "broker.confirm_timeout");
      if (entry.message.transient === true) this.#letGo(entry);
      else this.#again(entry, true);
    }
  }
}

function isChannelClosed(error: unknown): boolean {
  return error instanceof Error && error.name === "IllegalOperationError";
}
