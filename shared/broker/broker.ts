// Puts the runtime together: two connections (publishing, consuming), the topology, the mailboxes. The same set-up runs
// after every connect, whatever was lost.
import type { ChannelModel } from "amqplib";
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import { createServerNames } from "#shared/telemetry/broker-servers.ts";
import { createMessagingTelemetry } from "#shared/telemetry/messaging.ts";
import type { BatchActor, Broker, Consumption, Contracts, Outgoing, SingleActor } from "./actor.ts";
import { ByteBudget } from "./byte-budget.ts";
import { ConsumerChannels } from "./consumer-channels.ts";
import { Declarer } from "./declarer.ts";
import type { Tier } from "./declarer.ts";
import type { Link } from "./link.ts";
import { openLink } from "./link.ts";
import type { Listener } from "./listener.ts";
import { createListener } from "./listener.ts";
import { Mailboxes } from "./mailboxes.ts";
import { Publisher } from "./publisher.ts";
import { recreatedContracts, recreatedMessage } from "./recreations.ts";
import { Replies } from "./replies.ts";
import type { QueueSpec } from "./topology.ts";
import { EXCHANGES } from "./topology.ts";

/** A queue deleted by hand is back within 30 s (design). */
const CHECK_MS = 12_000;
/** How often it is looked for consumers that get nothing, of which the broker may know nothing. */
const SILENCE_CHECK_MS = 5_000;
const ANNOUNCE_MS = 5_000;

export interface BrokerOptions {
  urls: readonly string[];
  /** The service's name: how the broker shows the connections. */
  service: string;
  log: Log;
  clock: Clock;
  /** Most bytes of messages held at once; 64 MiB. */
  mostBytesHeld?: number;
}

/** Connects in the background: what needs the broker waits until it is there, or says that it isn't. */
export function connectBroker(options: BrokerOptions): Broker {
  return new RuntimeBroker(options);
}

class RuntimeBroker implements Broker {
  readonly #options: BrokerOptions;
  readonly #telemetry;
  readonly #declarer: Declarer;
  readonly #publisher: Publisher;
  readonly #channels: ConsumerChannels;
  readonly #replies: Replies;
  readonly #budget: ByteBudget;
  readonly #mailboxes: Mailboxes;
  readonly #listeners: Listener[] = [];
  readonly #closing = new AbortController();
  readonly #consuming: Link;
  readonly #publishing: Link;
  readonly #timers: readonly NodeJS.Timeout[];
  #model: ChannelModel | undefined;
  #isDeclared = false;
  #wasDeclared = false;
  #closed: Promise<void> | undefined;

  constructor(options: BrokerOptions) {
    const { log } = options;
    // All that is measured here lasts: a clock that is set gives up nothing, and keeps nobody waiting.
    const clock = createSteadyClock(options.clock);
    this.#options = { ...options, clock };
    const serverOf = createServerNames();
    const servers = {
      publishing: () => serverOf(this.#publishing.url),
      consuming: () => serverOf(this.#consuming.url),
    };
    this.#telemetry = createMessagingTelemetry({ clock, servers });
    this.#declarer = new Declarer(log, clock, (queue) => this.#announce(queue));
    this.#publisher = new Publisher({ log, clock, declarer: this.#declarer, telemetry: this.#telemetry });
    this.#channels = new ConsumerChannels(log, clock);
    this.#budget = new ByteBudget(options.mostBytesHeld);
    this.#replies = new Replies({
      clock,
      publish: (messages, deadlineMs) => this.#publisher.publish(messages, { deadlineMs }),
    });
    this.#mailboxes = new Mailboxes({
      log,
      clock,
      publisher: this.#publisher,
      telemetry: this.#telemetry,
      declarer: this.#declarer,
      channels: this.#channels,
      budget: this.#budget,
      closing: this.#closing.signal,
    });
    this.#consuming = this.#openConsuming();
    this.#publishing = this.#openPublishing();
    this.#telemetry.watch({
      isConnected: () => this.#isDeclared && this.#publisher.isConnected,
      isBlocked: () => this.blocked !== undefined,
      heldBytes: () => this.#budget.held,
      inHand: () => this.#mailboxes.inHand(),
      unconfirmed: () => this.#publisher.inFlight,
    });
    this.listen(EXCHANGES.recreated, recreatedContracts, ({ queue }) => void this.#mailboxes.recreated(queue));
    this.#timers = [
      setInterval(() => void this.#check(), CHECK_MS).unref(),
      setInterval(() => void this.#mailboxes.renewSilent(), SILENCE_CHECK_MS).unref(),
    ];
  }

  #openConsuming(): Link {
    return openLink({
      ...this.#options,
      name: `waypost ${this.#options.service} consuming`,
      onUp: (model) => this.#onConsumingUp(model),
      onDown: () => this.#onConsumingDown(),
      onBlocked: () => undefined,
    });
  }

  #openPublishing(): Link {
    return openLink({
      ...this.#options,
      name: `waypost ${this.#options.service} publishing`,
      onUp: (model) => this.#publisher.attach(model),
      onDown: () => this.#publisher.detach(),
      onBlocked: (reason) => {
        this.#publisher.setBlocked(reason);
        this.#options.log.warn({ reason }, reason === undefined ? "broker.unblocked" : "broker.blocked");
      },
    });
  }

  async #onConsumingUp(model: ChannelModel): Promise<void> {
    this.#declarer.attach(model);
    await (this.#wasDeclared ? this.#declarer.restoreTopology() : this.#declarer.declareTopology());
    this.#wasDeclared = true;
    this.#isDeclared = true;
    this.#publisher.topologyDeclared();
    this.#model = model;
    // One that is added from now on is attached by whoever adds it.
    const known = this.#listeners.slice();
    await this.#replies.attach(model);
    for (const listener of known) await listener.attach(model);
    await this.#channels.attach(model);
  }

  #onConsumingDown(): void {
    this.#model = undefined;
    this.#isDeclared = false;
    this.#declarer.detach();
    this.#replies.detach();
    this.#channels.detach();
  }

  /** What was deleted by hand is declared again; a consumer whose queue is gone is told by the broker. */
  async #check(): Promise<void> {
    if (this.#model === undefined) return;
    try {
      await this.#declarer.check(this.#mailboxes.unconsumed());
      for (const listener of this.#listeners) await listener.restore();
    } catch (error) {
      this.#options.log.warn({ err: error }, "broker.check_failed");
    }
  }

  #announce(queue: string): void {
    const deadlineMs = this.#options.clock.nowMs() + ANNOUNCE_MS;
    this.#publisher
      .publish([recreatedMessage(queue)], { deadlineMs })
      .promise.catch((error: unknown) => this.#options.log.warn({ queue, err: error }, "broker.recreation_untold"));
  }

  start<M>(actor: SingleActor<M> | BatchActor<M>): Consumption {
    return this.#mailboxes.start(actor);
  }

  startPaused<M>(actor: SingleActor<M>, mailbox: QueueSpec): Consumption {
    return this.#mailboxes.start(actor, mailbox);
  }

  async publish(messages: readonly Outgoing[], options: { timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs } = options;
    const deadline = timeoutMs === undefined ? {} : { deadlineMs: this.#options.clock.nowMs() + timeoutMs };
    await this.#publisher.publish(messages, deadline).promise;
  }

  declare(queues: readonly QueueSpec[]): Promise<void> {
    return this.#declarer.declare(queues);
  }

  declareTier(tier: Tier): Promise<void> {
    return this.#declarer.declareTier(tier);
  }

  deleteQueue(name: string): Promise<void> {
    return this.#declarer.deleteQueue(name);
  }

  depth(queue: string): Promise<number | undefined> {
    return this.#declarer.depth(queue);
  }

  differs(queue: QueueSpec): Promise<boolean> {
    return this.#declarer.differs(queue);
  }

  listen<M>(exchange: string, contracts: Contracts<M>, onMessage: (message: M) => void): void {
    const { log, clock } = this.#options;
    const listener = createListener({ exchange, contracts, onMessage, log, clock });
    this.#listeners.push(listener);
    if (this.#model === undefined) return;
    void listener.attach(this.#model).catch((error: unknown) => log.warn({ err: error }, "broker.listen_failed"));
  }

  request(service: string, body: object, timeoutMs: number): Promise<unknown> {
    return this.#replies.request(service, body, timeoutMs);
  }

  get ready(): boolean {
    return this.#isDeclared && this.#publisher.isConnected && this.#publisher.blocked === undefined;
  }

  get failure(): string | undefined {
    return this.#consuming.failure ?? this.#publishing.failure;
  }

  get blocked(): string | undefined {
    return this.#publisher.blocked;
  }

  rest(isResting: boolean): void {
    this.#mailboxes.rest(isResting);
  }

  stopTaking(): Promise<void> {
    return this.#mailboxes.stopTaking();
  }

  close(drainMs: number): Promise<void> {
    this.#closed ??= this.#close(drainMs);
    return this.#closed;
  }

  async #close(drainMs: number): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const drained = this.#mailboxes.stopTaking().then(() => this.#mailboxes.whenIdle());
    const over = new AbortController();
    const late = this.#options.clock.sleep(drainMs, over.signal).catch(() => undefined);
    await Promise.race([drained, late]);
    over.abort();
    this.#closing.abort();
    this.#publisher.close();
    await this.#channels.close();
    await Promise.all([this.#consuming.close(), this.#publishing.close()]);
  }
}
