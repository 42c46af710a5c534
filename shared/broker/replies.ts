// Questions to a service and their answers: a command with reply_to, and an exclusive queue of this process for replies.
import type { ChannelModel } from "amqplib";
import type { Clock } from "#shared/clock.ts";
import { BrokerUnavailable } from "#shared/errors.ts";
import type { Outgoing } from "./actor.ts";
import { parse } from "./encoding.ts";
import type { PublishJob } from "./publish-job.ts";
import { EXCHANGES } from "./topology.ts";

export interface RepliesOptions {
  clock: Clock;
  publish(messages: readonly Outgoing[], deadlineMs: number): PublishJob;
}

export class Replies {
  readonly #options: RepliesOptions;
  readonly #waiting = new Map<string, (reply: unknown) => void>();
  #queue: string | undefined;
  #isWanted = false;
  #model: ChannelModel | undefined;

  constructor(options: RepliesOptions) {
    this.#options = options;
  }

  async attach(model: ChannelModel): Promise<void> {
    this.#model = model;
    if (this.#isWanted) await this.#open(model);
  }

  detach(): void {
    this.#model = undefined;
    this.#queue = undefined;
  }

  async request(service: string, body: object, timeoutMs: number): Promise<unknown> {
    const { clock } = this.#options;
    const correlationId = clock.uuid();
    const answered = Promise.withResolvers<unknown>();
    const over = new AbortController();
    this.#waiting.set(correlationId, answered.resolve);
    try {
      const late = clock.sleep(timeoutMs, over.signal).then(() => {
        throw new BrokerUnavailable(`${service} did not answer within ${timeoutMs} ms`);
      });
      late.catch(() => undefined);
      await Promise.race([this.#send({ service, body, correlationId, timeoutMs }), late]);
      return await Promise.race([answered.promise, late]);
    } finally {
      over.abort();
      this.#waiting.delete(correlationId);
    }
  }

  async #send(question: { service: string; body: object; correlationId: string; timeoutMs: number }): Promise<void> {
    const { service, body, correlationId, timeoutMs } = question;
    this.#isWanted = true;
    if (this.#model === undefined) throw new BrokerUnavailable("not connected to the broker");
    const replyTo = this.#queue ?? (await this.#open(this.#model));
    const command: Outgoing = {
      exchange: EXCHANGES.commands,
      routingKey: service,
      type: "command",
      body,
      correlationId,
      replyTo,
      expirationMs: timeoutMs,
    };
    await this.#options.publish([command], this.#options.clock.nowMs() + timeoutMs).promise;
  }

  async #open(model: ChannelModel): Promise<string> {
    const channel = await model.createChannel();
    channel.on("error", () => undefined);
    channel.on("close", () => {
      this.#queue = undefined;
    });
    const { queue } = await channel.assertQueue("", { exclusive: true, durable: false, autoDelete: true });
    await channel.consume(
      queue,
      (message) => {
        const correlationId: unknown = message?.properties.correlationId;
        if (message === null || typeof correlationId !== "string") return;
        this.#waiting.get(correlationId)?.(parse(message.content));
      },
      { noAck: true },
    );
    this.#queue = queue;
    return queue;
  }
}
