import type { Channel, ConsumeMessage } from "amqplib";
import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { ByteBudget } from "./byte-budget.ts";
import { FaultGate } from "./fault-gate.ts";
import type { MailboxOptions } from "./mailbox-options.ts";
import { Mailbox } from "./mailbox.ts";

const clock = { ...systemClock, sleep: () => Promise.resolve() };

function mailboxWith(options: Pick<MailboxOptions, "prefetch" | "worker"> & Partial<MailboxOptions>): Mailbox {
  return new Mailbox({
    queue: "q",
    isLane: false,
    gate: new FaultGate(clock, new AbortController().signal),
    budget: new ByteBudget(),
    log: pino({ level: "silent" }),
    clock,
    declare: () => Promise.resolve(),
    leave: () => undefined,
    ...options,
  });
}

const messageOf = (deliveryTag: number, bytes = 0): ConsumeMessage =>
  ({ content: Buffer.alloc(bytes), fields: { deliveryTag }, properties: {} }) as unknown as ConsumeMessage;

/** A channel whose consumer is given what the test delivers, for as long as it consumes; it tells what it was asked. */
function lentChannel() {
  const asked: { prefetches: number[]; returned: number[] } = { prefetches: [], returned: [] };
  let consumer: ((message: ConsumeMessage) => void) | undefined;
  const channel = {
    prefetch: (count: number) => Promise.resolve(asked.prefetches.push(count)),
    consume: (_queue: string, onMessage: (message: ConsumeMessage) => void) => {
      consumer = onMessage;
      return Promise.resolve({ consumerTag: "c" });
    },
    // What is on its way already still comes.
    cancel: async () => {
      await Promise.resolve();
      consumer = undefined;
    },
    nack: (message: ConsumeMessage) => asked.returned.push(message.fields.deliveryTag),
  } as unknown as Channel;
  return { ...asked, channel, deliver: (message: ConsumeMessage) => consumer?.(message) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

it("gives a message back that could not even be parked, and takes the next", async () => {
  const worked: number[] = [];
  const mailbox = mailboxWith({
    prefetch: 1,
    worker: ({ raw }) => {
      const { deliveryTag } = raw.fields;
      worked.push(deliveryTag);
      return deliveryTag === 1 ? Promise.reject(new RangeError("too large")) : Promise.resolve();
    },
  });
  const returned: unknown[] = [];
  const channel = {
    prefetch: () => Promise.resolve(),
    consume: (_queue: string, onMessage: (message: ConsumeMessage) => void) => {
      for (const deliveryTag of [1, 2]) onMessage(messageOf(deliveryTag));
      return Promise.resolve({ consumerTag: "c" });
    },
    nack: (message: ConsumeMessage, allUpTo: boolean, requeue: boolean) =>
      returned.push([message.fields.deliveryTag, allUpTo, requeue]),
  };
  mailbox.attach(channel as unknown as Channel);
  await mailbox.whenIdle();
  await turn();
  expect(returned).toEqual([[1, false, true]]);
  expect(worked).toEqual([1, 2]);
});

it("goes on, two messages at once, while others hold all that the process may, for however long", async () => {
  const budget = new ByteBudget(100);
  budget.add(200);
  const worked: number[] = [];
  const mailbox = mailboxWith({
    prefetch: 10,
    budget,
    worker: async ({ raw }) => void worked.push(raw.fields.deliveryTag),
  });
  const { channel, deliver, prefetches } = lentChannel();
  mailbox.attach(channel);
  for (const deliveryTag of [1, 2, 3]) {
    await turn();
    deliver(messageOf(deliveryTag, 10));
  }
  await turn();
  expect(worked).toEqual([1, 2, 3]);
  expect(prefetches).toEqual([10, 2]);
  budget.remove(200);
  await turn();
  expect(prefetches).toEqual([10, 2, 10]);
});

it("asks for no more than two where both of these hang while others hold all that the process may", async () => {
  const budget = new ByteBudget(100);
  budget.add(200);
  const begun: number[] = [];
  const mailbox = mailboxWith({
    prefetch: 10,
    budget,
    worker: ({ raw }) => {
      begun.push(raw.fields.deliveryTag);
      return new Promise(() => undefined);
    },
  });
  const { channel, deliver, prefetches, returned } = lentChannel();
  mailbox.attach(channel);
  await turn();
  for (const tag of [1, 2, 3]) deliver(messageOf(tag));
  await turn();
  expect({ begun, returned, prefetches }).toEqual({ begun: [1, 2], returned: [3], prefetches: [10] });
});

it("takes nothing while it rests, gives back what it has not begun, and takes again after it", async () => {
  const mailbox = mailboxWith({ prefetch: 1, worker: () => new Promise(() => undefined) });
  const { channel, deliver, prefetches, returned } = lentChannel();
  mailbox.attach(channel);
  await turn();
  for (const tag of [1, 2]) deliver(messageOf(tag));
  await mailbox.rest(true);
  deliver(messageOf(3));
  await mailbox.resume(5);
  expect({ returned, prefetches }).toEqual({ returned: [2], prefetches: [1] });
  await mailbox.rest(false);
  expect(prefetches).toEqual([1, 5]);
});
