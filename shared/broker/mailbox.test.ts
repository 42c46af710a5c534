import type { Channel, ConsumeMessage } from "amqplib";
import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { ByteBudget } from "./byte-budget.ts";
import { FaultGate } from "./fault-gate.ts";
import { Mailbox } from "./mailbox.ts";

it("gives a message back that could not even be parked, and takes the next", async () => {
  const clock = { ...systemClock, sleep: () => Promise.resolve() };
  const log = pino({ level: "silent" });
  const worked: number[] = [];
  const mailbox = new Mailbox({
    queue: "q",
    prefetch: 1,
    isLane: false,
    worker: ({ raw }) => {
      const { deliveryTag } = raw.fields;
      worked.push(deliveryTag);
      return deliveryTag === 1 ? Promise.reject(new RangeError("too large")) : Promise.resolve();
    },
    gate: new FaultGate(clock, new AbortController().signal),
    budget: new ByteBudget(),
    log,
    clock,
    declare: () => Promise.resolve(),
    leave: () => undefined,
  });
  const returned: unknown[] = [];
  const channel = {
    prefetch: () => Promise.resolve(),
    consume: (_queue: string, onMessage: (message: ConsumeMessage) => void) => {
      for (const deliveryTag of [1, 2]) {
        const message = { content: Buffer.alloc(0), fields: { deliveryTag }, properties: {} };
        onMessage(message as unknown as ConsumeMessage);
      }
      return Promise.resolve({ consumerTag: "c" });
    },
    nack: (message: ConsumeMessage, allUpTo: boolean, requeue: boolean) =>
      returned.push([message.fields.deliveryTag, allUpTo, requeue]),
  };
  mailbox.attach(channel as unknown as Channel);
  await mailbox.whenIdle();
  await new Promise((resolve) => setImmediate(resolve));
  expect(returned).toEqual([[1, false, true]]);
  expect(worked).toEqual([1, 2]);
});
