// Declares exchanges, queues and bindings, and asks for depths: one channel of the consuming connection, one thing at a time.
// What was declared here once is declared again on every reconnect and at every check. Who declares a deleted queue again
// tells everybody, for its consumers may not be told by the broker.
import type { Channel, ChannelModel } from "amqplib";
import type { Clock } from "#shared/clock.ts";
import { BrokerUnavailable, wordsOf } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import { createTurns } from "#shared/turns.ts";
import type { ExchangeSpec, QueueSpec } from "./topology.ts";
import { TOPOLOGY } from "./topology.ts";

export interface Tier {
  exchange?: { name: string; type: string; durable: boolean };
  queue: QueueSpec;
}

type Work<T> = (channel: Channel) => Promise<T>;

/** How long what needs a connection waits for it. */
const PATIENCE_MS = 5_000;
/**
 * A queue declared again before the broker has told a consumer of its deletion keeps that consumer as a ghost: the broker
 * moves it to the new queue by itself and then forgets where its messages go. So nobody declares again at once, and who
 * did says so (see recreations.ts).
 */
const AFTER_DELETION_MS = 300;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

export class Declarer {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #onRecreated: (queue: string) => void;
  #attached = Promise.withResolvers<void>();
  #model: ChannelModel | undefined;
  #channel: Channel | undefined;
  readonly #inTurn = createTurns();
  readonly #tiers = new Map<string, Tier>();
  readonly #running = new Map<string, Promise<void>>();

  /** `onRecreated` is called for each queue that was there once, was missing, and is back. */
  constructor(log: Log, clock: Clock, onRecreated: (queue: string) => void) {
    this.#log = log;
    this.#clock = clock;
    this.#onRecreated = onRecreated;
  }

  attach(model: ChannelModel): void {
    this.#model = model;
    this.#channel = undefined;
    this.#attached.resolve();
  }

  detach(): void {
    if (this.#model !== undefined) this.#attached = Promise.withResolvers();
    this.#model = undefined;
    this.#channel = undefined;
  }

  /** Everything in TOPOLOGY and every tier declared before. */
  declareTopology(): Promise<void> {
    return this.#once("declare", () => this.#declareAll());
  }

  /** As `declareTopology`, where something of it may have been deleted. */
  restoreTopology(): Promise<void> {
    return this.#once("restore", () => this.check([]));
  }

  /** What was deleted by hand, of the topology and of `others`, is declared again. */
  async check(others: readonly QueueSpec[]): Promise<void> {
    await this.#declareExchanges();
    for (const { exchange } of this.#tiers.values()) {
      if (exchange !== undefined) await this.#run((channel) => assertExchange(channel, exchange));
    }
    const tiers = [...this.#tiers.values()].map((tier) => tier.queue);
    await this.#restore([...TOPOLOGY.queues, ...tiers, ...others]);
  }

  /** Declares those of the queues again that are missing, after a pause; the others are bound again. */
  restore(queues: readonly QueueSpec[]): Promise<void> {
    return this.#once(queues.map((queue) => queue.name).join(" "), () => this.#restore(queues));
  }

  async #restore(queues: readonly QueueSpec[]): Promise<void> {
    const missing: QueueSpec[] = [];
    for (const queue of queues) {
      if ((await this.depth(queue.name)) === undefined) missing.push(queue);
      else await this.#run((channel) => bind(channel, queue));
    }
    if (missing.length === 0) return;
    await this.#clock.sleep(AFTER_DELETION_MS);
    for (const queue of missing) {
      // Another process may have been faster.
      if ((await this.depth(queue.name)) !== undefined) continue;
      this.#log.warn({ queue: queue.name }, "broker.queue_missing");
      await this.declare([queue]);
      this.#onRecreated(queue.name);
    }
  }

  /** Calls for the same that overlap share one run. */
  #once(key: string, work: () => Promise<void>): Promise<void> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const run = work().finally(() => this.#running.delete(key));
    this.#running.set(key, run);
    return run;
  }

  async #declareExchanges(): Promise<void> {
    await this.#run((channel) => Promise.all(TOPOLOGY.exchanges.map((spec) => assertExchange(channel, spec))));
  }

  async #declareAll(): Promise<void> {
    await this.#declareExchanges();
    for (const queue of TOPOLOGY.queues) await this.#tolerant(queue.name, (channel) => assertQueue(channel, queue));
    for (const tier of this.#tiers.values()) await this.#declareTier(tier);
  }

  /** Before there is a connection it is noted, and declared with the topology. */
  async declareTier(tier: Tier): Promise<void> {
    this.#tiers.set(tier.queue.name, tier);
    if (this.#model !== undefined) await this.#declareTier(tier);
  }

  #declareTier(tier: Tier): Promise<void> {
    return this.#tolerant(tier.queue.name, async (channel) => {
      if (tier.exchange !== undefined) await assertExchange(channel, tier.exchange);
      await assertQueue(channel, tier.queue);
    });
  }

  async declare(queues: readonly QueueSpec[]): Promise<void> {
    for (const queue of queues) await this.#tolerant(queue.name, (channel) => assertQueue(channel, queue));
  }

  async deleteQueue(name: string): Promise<void> {
    this.#tiers.delete(name);
    await this.#run((channel) => channel.deleteQueue(name));
  }

  async depth(queue: string): Promise<number | undefined> {
    try {
      return await this.#run(async (channel) => (await channel.checkQueue(queue)).messageCount);
    } catch (error) {
      const code = codeOf(error);
      if (code === NOT_FOUND) return undefined;
      throw code === undefined
        ? error
        : new BrokerUnavailable(`the broker says nothing of ${queue}: ${wordsOf(error)}`, error);
    }
  }

  /** Whether a queue that is there has other arguments than ours: declaring it again is how the broker tells. */
  async differs(queue: QueueSpec): Promise<boolean> {
    return (await this.#difference((channel) => declareQueue(channel, queue))) !== undefined;
  }

  /** A queue that stands with other arguments is used as it is: said aloud, for only an operator can mend it. */
  async #tolerant(queue: string, work: Work<void>): Promise<void> {
    const difference = await this.#difference(work);
    if (difference !== undefined) this.#log.error({ queue, err: difference }, "broker.topology_differs");
  }

  /** The broker's words where something stands with other arguments than what is declared. */
  async #difference(work: Work<unknown>): Promise<unknown> {
    try {
      await this.#run(work);
      return undefined;
    } catch (error) {
      if (codeOf(error) !== PRECONDITION_FAILED) throw error;
      return error;
    }
  }

  async #run<T>(work: Work<T>): Promise<T> {
    try {
      return await this.#inTurn(async () => work(await this.#open()));
    } catch (error) {
      if (codeOf(error) !== undefined) throw error;
      throw new BrokerUnavailable("the broker cannot be reached to declare queues", error);
    }
  }

  async #untilAttached(): Promise<void> {
    const over = new AbortController();
    const late = this.#clock.sleep(PATIENCE_MS, over.signal).catch(() => undefined);
    await Promise.race([this.#attached.promise, late]).finally(() => over.abort());
  }

  async #open(): Promise<Channel> {
    if (this.#channel !== undefined) return this.#channel;
    if (this.#model === undefined) await this.#untilAttached();
    if (this.#model === undefined) throw new BrokerUnavailable("not connected to the broker");
    const channel = await this.#model.createChannel();
    channel.on("error", () => undefined);
    channel.on("close", () => {
      if (this.#channel === channel) this.#channel = undefined;
    });
    this.#channel = channel;
    return channel;
  }
}

function codeOf(error: unknown): number | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "number" ? code : undefined;
}

async function assertExchange(channel: Channel, spec: ExchangeSpec | NonNullable<Tier["exchange"]>): Promise<void> {
  await channel.assertExchange(spec.name, spec.type, { durable: spec.durable });
}

const declareQueue = (channel: Channel, { name, arguments: wanted }: QueueSpec) =>
  channel.assertQueue(name, { durable: true, arguments: wanted });

async function assertQueue(channel: Channel, spec: QueueSpec): Promise<void> {
  await Promise.all([declareQueue(channel, spec), bind(channel, spec)]);
}

/** A former binding goes once the present one stands: what is published meanwhile comes twice rather than not at all. */
async function bind(channel: Channel, { name, bindings, formerBindings = [] }: QueueSpec): Promise<void> {
  await Promise.all([
    ...bindings.map(({ exchange, routingKey }) => channel.bindQueue(name, exchange, routingKey)),
    ...formerBindings.map(({ exchange, routingKey }) => channel.unbindQueue(name, exchange, routingKey)),
  ]);
}
