import type { Channel, ConsumeMessage } from "amqplib";
import { expect, it } from "vitest";
import { Held } from "./held.ts";
import { acknowledge, settleTogether } from "./settle.ts";

/** A channel that has given out so many messages. */
async function start(given: number) {
  const frames: string[] = [];
  let deliver: (message: ConsumeMessage | null) => void = () => undefined;
  const channel = {
    consume: async (_queue: string, onMessage: typeof deliver) => {
      deliver = onMessage;
      return { consumerTag: "c" };
    },
    ack: (message: ConsumeMessage, isUpTo?: boolean) =>
      void frames.push(`ack ${isUpTo === true ? "up to " : ""}${message.fields.deliveryTag}`),
    nack: (message: ConsumeMessage) => void frames.push(`nack ${message.fields.deliveryTag}`),
    close: async () => void frames.push("close"),
  };
  settleTogether(channel);
  await channel.consume("q", () => undefined);
  for (let tag = 1; tag <= given; tag += 1) deliver(message(tag));
  const acknowledge = async (...tags: number[]): Promise<void> => {
    for (const tag of tags) {
      channel.ack(message(tag));
      await Promise.resolve();
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { frames, channel, acknowledge };
}

const message = (deliveryTag: number): ConsumeMessage => ({
  fields: { deliveryTag, redelivered: false, exchange: "", routingKey: "", consumerTag: "" },
  properties: { headers: {} } as ConsumeMessage["properties"],
  content: Buffer.alloc(0),
});

it("acknowledges in one frame what has nothing in hand before it, and each of the rest alone", async () => {
  const { frames, acknowledge } = await start(6);
  await acknowledge(2, 1, 3, 5);
  expect(frames).toEqual(["ack 5", "ack up to 3"]);
});

it("never acknowledges past a message that is in hand", async () => {
  const { frames, acknowledge } = await start(5);
  await acknowledge(3);
  await acknowledge(1);
  await acknowledge(2, 4);
  expect(frames).toEqual(["ack 3", "ack up to 1", "ack up to 4"]);
});

it("counts what went back to its queue as settled", async () => {
  const { frames, channel, acknowledge } = await start(3);
  channel.nack(message(1));
  await acknowledge(2);
  expect(frames).toEqual(["nack 1", "ack up to 2"]);
});

it("sends what is due before the channel closes", async () => {
  const { frames, channel } = await start(2);
  channel.ack(message(1));
  await channel.close();
  expect(frames).toEqual(["ack up to 1", "close"]);
});

it("acknowledges a message of several parts with the last of them, and not where it is lost", async () => {
  const acknowledged: number[] = [];
  const channel = {
    ack: ({ fields }: ConsumeMessage) => void acknowledged.push(fields.deliveryTag),
  } as object as Channel;
  const [whole, lost] = [new Held(message(1), channel), new Held(message(2), channel)];
  const [first, second] = whole.split([message(1), message(1)]);
  for (const part of [first, first]) if (part !== undefined) acknowledge(part);
  expect(acknowledged).toEqual([]);
  if (second !== undefined) acknowledge(second);
  const parts = lost.split([message(2)]);
  lost.lose();
  await Promise.all(parts.map((part) => part.whenLost));
  for (const part of parts) acknowledge(part);
  expect(acknowledged).toEqual([1]);
});
