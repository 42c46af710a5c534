// Listening to a fanout exchange with an exclusive, transient queue of this process: nothing is kept for who is away.
import type { ChannelModel } from "amqplib";
import type { Log } from "#shared/log.ts";
import type { Clock } from "#shared/clock.ts";
import type { Contracts } from "./actor.ts";
import { readDelivery } from "./read-delivery.ts";

export interface Listener {
  attach(model: ChannelModel): Promise<void>;
  /** Binds its queue again: an exchange that was deleted and declared again has lost its bindings, and nobody is told. */
  restore(): Promise<void>;
}

const REOPEN_MS = 1_000;

export interface ListenerOptions<M> {
  exchange: string;
  contracts: Contracts<M>;
  onMessage: (message: M) => void;
  log: Log;
  clock: Clock;
}

export function createListener<M>(options: ListenerOptions<M>): Listener {
  const { exchange, contracts, onMessage, log, clock } = options;
  let current: ChannelModel | undefined;
  let bind = (): Promise<unknown> => Promise.resolve();

  async function attach(model: ChannelModel): Promise<void> {
    current = model;
    const channel = await model.createChannel();
    channel.on("error", (error) => log.warn({ err: error, exchange }, "broker.listen_failed"));
    channel.on("close", () => {
      bind = () => Promise.resolve();
      void reopen(model);
    });
    const { queue } = await channel.assertQueue("", { exclusive: true, durable: false, autoDelete: true });
    bind = () => channel.bindQueue(queue, exchange, "");
    await bind();
    await channel.consume(
      queue,
      (message) => {
        if (message === null) return void channel.close().catch(() => undefined);
        const read = readDelivery(message, queue, contracts);
        if (read.ok) onMessage(read.delivery.message);
        else log.warn({ exchange, reason: read.reason }, "broker.listen_refused");
      },
      { noAck: true },
    );
  }

  async function reopen(model: ChannelModel): Promise<void> {
    await clock.sleep(REOPEN_MS);
    if (current !== model) return;
    await attach(model).catch((error: unknown) => log.debug({ err: error, exchange }, "broker.listen_failed"));
  }

  return { attach, restore: async () => void (await bind()) };
}
