// Declares exchanges, queues and bindings, and asks for depths: one channel of the consuming connection, one thing at a time.
// What was declared here once is declared again on every reconnect and at every check.
import type { Channel, ChannelModel } from "amqplib";
import { BrokerUnavailable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { ExchangeSpec, QueueSpec } from "./topology.ts";
import { TOPOLOGY } from "./topology.ts";

export interface Tier {
  exchange?: { name: string; type: string; durable: boolean };
  queue: QueueSpec;
}

type Work<T> = (channel: Channel) => Promise<T>;

const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

export class Declarer {
  readonly #log: Log;
  #model: ChannelModel | undefined;
  #channel: Channel | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #running: Promise<void> | undefined;
  readonly #tiers = new Map<string, Tier>();
  readonly #declaring = new Map<string, Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
  }

  attach(model: ChannelModel): void {
    this.#model = model;
    this.#channel = undefined;
  }

  detach(): void {
    this.#model = undefined;
    this.#channel = undefined;
  }

  /** Everything in TOPOLOGY and every tier declared before. Calls that overlap share one run. */
  declareTopology(): Promise<void> {
    this.#running ??= this.#declareAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #declareAll(): Promise<void> {
    await this.#run((channel) => Promise.all(TOPOLOGY.exchanges.map((spec) => assertExchange(channel, spec))));
    for (const queue of TOPOLOGY.queues) await this.#tolerant(queue.name, (channel) => assertQueue(channel, queue));
    for (const tier of this.#tiers.values()) await this.#declareTier(tier);
  }

  async declareTier(tier: Tier): Promise<void> {
    this.#tiers.set(tier.queue.name, tier);
    await this.#declareTier(tier);
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

  /** As `declare`; calls for the same queues that overlap share one run. */
  declareOnce(queues: readonly QueueSpec[]): Promise<void> {
    const key = queues.map((queue) => queue.name).join(" ");
    const running = this.#declaring.get(key);
    if (running !== undefined) return running;
    const declared = this.declare(queues).finally(() => this.#declaring.delete(key));
    this.#declaring.set(key, declared);
    return declared;
  }

  async deleteQueue(name: string): Promise<void> {
    this.#tiers.delete(name);
    await this.#run((channel) => channel.deleteQueue(name));
  }

  async depth(queue: string): Promise<number | undefined> {
    try {
      return await this.#run(async (channel) => (await channel.checkQueue(queue)).messageCount);
    } catch (error) {
      if (codeOf(error) === NOT_FOUND) return undefined;
      throw error;
    }
  }

  /** A queue that stands with other arguments is used as it is: said aloud, for only an operator can mend it. */
  async #tolerant(queue: string, work: Work<void>): Promise<void> {
    try {
      await this.#run(work);
    } catch (error) {
      if (codeOf(error) !== PRECONDITION_FAILED) throw error;
      this.#log.error({ queue, err: error }, "broker.topology_differs");
    }
  }

  async #run<T>(work: Work<T>): Promise<T> {
    const turn = this.#last.then(async () => work(await this.#open()));
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } catch (error) {
      if (codeOf(error) !== undefined) throw error;
      throw new BrokerUnavailable("the broker cannot be reached to declare queues", error);
    }
  }

  async #open(): Promise<Channel> {
    if (this.#channel !== undefined) return this.#channel;
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

async function assertQueue(channel: Channel, spec: QueueSpec): Promise<void> {
  const declared = channel.assertQueue(spec.name, { durable: true, arguments: spec.arguments });
  const bound = spec.bindings.map((binding) => channel.bindQueue(spec.name, binding.exchange, binding.routingKey));
  await Promise.all([declared, ...bound]);
}
