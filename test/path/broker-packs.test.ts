// Messages that travel together: made into one message, taken apart again, each with an end of its own.
import type { Channel } from "amqplib";
import { connect as connectRaw } from "amqplib";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import type { Broker, Delivery, Outgoing } from "#shared/broker/actor.ts";
import { connectBroker } from "#shared/broker/broker.ts";
import { EXCHANGES, QUEUES, ROUTING_KEYS } from "#shared/broker/topology.ts";
import { systemClock } from "#shared/clock.ts";
import { ownPlace, testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Numbered } from "#test/support/runtime.ts";
import { collectDeadLetters, numberedSchema, startRuntime } from "#test/support/runtime.ts";

const target = { exchange: EXCHANGES.points, routingKey: ROUTING_KEYS.points };
const contracts = { event: numberedSchema };

const point = (n: number, more: Partial<Outgoing> = {}): Outgoing => ({
  exchange: EXCHANGES.events,
  routingKey: "acme.delivered.ok",
  type: "event",
  body: { version: 1, n },
  messageId: `tag-${n}`,
  record: { n },
  mayBeUnrouted: true,
  packedTo: target,
  ...more,
});

/** Takes points; with `hold` it never comes to a verdict on those that it names. */
function take(broker: Broker, hold: (n: number) => boolean = () => false): Delivery<Numbered>[] {
  const taken: Delivery<Numbered>[] = [];
  broker.start<Numbered>({
    mailbox: QUEUES.events,
    contracts,
    prefetch: 10,
    handle: async (delivery) => {
      taken.push(delivery);
      if (hold(delivery.message.n)) await new Promise(() => undefined);
      return { kind: "done", publish: [] };
    },
  });
  return taken;
}

async function rawChannel(vhost: string): Promise<Channel> {
  const url = new URL(testBacking().amqpUrl);
  url.pathname = encodeURIComponent(vhost);
  const connection = await connectRaw(url.toString());
  onTestFinished(() => connection.close());
  return connection.createChannel();
}

const isEmpty = async (broker: Broker, queue: string): Promise<boolean> => (await broker.depth(queue)) === 0;

it("carries what is published together in one message, which is gone when all of it is settled", async () => {
  const { broker } = await startRuntime();
  await broker.publish([1, 2, 3].map((n) => point(n)));
  expect(await broker.depth(QUEUES.events)).toBe(1);
  const taken = take(broker);
  await eventually(() => taken.length === 3);
  expect(taken).toMatchObject(
    [1, 2, 3].map((n) => ({
      message: { n },
      suspect: false,
      properties: { messageId: `tag-${n}` },
      headers: { "waypost-record": `{"n":${n}}` },
    })),
  );
  expect(await eventually(() => isEmpty(broker, QUEUES.events))).toBe(true);
});

it("parks the one part that can't be taken, as it would be alone, and has the others done", async () => {
  const { broker } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  const taken = take(broker);
  await broker.publish([point(1), point(2, { body: { version: 1, n: "two" } }), point(3)]);
  expect(await eventually(() => letters[0])).toMatchObject({
    queue: QUEUES.events,
    type: "event",
    messageId: "tag-2",
    headers: { "waypost-record": '{"n":2}' },
    body: Buffer.from('{"version":1,"n":"two"}'),
  });
  await eventually(() => taken.length === 2);
  expect(taken.map(({ message }) => message.n)).toEqual([1, 3]);
  expect(await eventually(() => isEmpty(broker, QUEUES.events))).toBe(true);
  expect(letters).toHaveLength(1);
});

it("comes back as a whole, as suspect, where one part was not settled", async () => {
  const { broker, another } = await startRuntime();
  const first = another();
  const begun = take(first, (n) => n === 2);
  await broker.publish([point(1), point(2)]);
  await eventually(() => begun.length === 2);
  await first.close(0);
  const taken = take(broker);
  await eventually(() => taken.length === 2);
  expect(taken.map(({ message, suspect }) => [message.n, suspect])).toEqual([
    [1, true],
    [2, true],
  ]);
});

it("is as many dead letters as it has parts, when the broker itself dead-letters it", async () => {
  const { broker, vhost } = await startRuntime();
  const channel = await rawChannel(vhost);
  await broker.publish([point(1), point(2)]);
  const pack = await eventually(async () => (await channel.get(QUEUES.events)) || undefined);
  channel.nack(pack, false, false);
  const { letters } = collectDeadLetters(broker);
  await eventually(() => letters.length === 2);
  expect(letters).toMatchObject(
    [1, 2].map((n) => ({
      reason: "rejected",
      queue: QUEUES.events,
      type: "event",
      messageId: `tag-${n}`,
      headers: { "waypost-record": `{"n":${n}}` },
      body: Buffer.from(`{"version":1,"n":${n}}`),
    })),
  );
});

it("parks as one letter what says that it is a pack and is none, and lists that", async () => {
  const { broker } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  take(broker);
  await broker.publish([{ ...target, type: "pack", body: { version: 1 } }]);
  expect(await eventually(() => letters[0])).toMatchObject({ reason: "not a valid pack", type: "pack" });
});

it("still takes a single message", async () => {
  const { broker } = await startRuntime();
  const taken = take(broker);
  await broker.publish([{ ...target, type: "event", body: { version: 1, n: 7 } }]);
  expect((await eventually(() => taken[0])).message.n).toBe(7);
});

it("counts the parts that are in hand", async () => {
  const { broker } = await startRuntime();
  for (const n of [1, 4, 7]) await broker.publish([point(n), point(n + 1)]);
  const begun: number[] = [];
  const consumption = broker.start<Numbered>({
    mailbox: QUEUES.events,
    contracts,
    prefetch: 10,
    mostInHand: 3,
    handle: async ({ message }) => {
      begun.push(message.n);
      return new Promise(() => undefined);
    },
  });
  await eventually(() => begun.length === 4);
  expect(consumption.inHand).toBe(4);
});

it("is told beside to whoever has bound a queue, and where nobody has, nothing is amiss", async () => {
  const place = await ownPlace(testBacking());
  onTestFinished(() => place.remove());
  const lines: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
  const broker = connectBroker({ urls: [place.amqpUrl], service: "test", log, clock: systemClock });
  onTestFinished(() => broker.close(500));
  await eventually(() => broker.ready);
  await broker.publish([point(1)]);
  const channel = await rawChannel(decodeURIComponent(new URL(place.amqpUrl).pathname.slice(1)));
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, EXCHANGES.events, "acme.#");
  await broker.publish([point(2), point(3)]);
  const heard: unknown[] = [];
  await channel.consume(queue, (message) => {
    heard.push(z.unknown().parse(JSON.parse(message?.content.toString() ?? "")));
  });
  await eventually(() => heard.length === 2);
  expect(heard).toEqual([2, 3].map((n) => ({ version: 1, n })));
  expect(lines.filter((line) => /unroutable|republish|queue_missing/.test(line))).toEqual([]);
});

it("does not come by the binding of an earlier version too", async () => {
  const { broker, another, vhost } = await startRuntime();
  const channel = await rawChannel(vhost);
  await channel.bindQueue(QUEUES.events, EXCHANGES.events, "#");
  const started = another();
  await eventually(() => started.ready);
  await broker.publish([point(1)]);
  expect(await broker.depth(QUEUES.events)).toBe(1);
});
