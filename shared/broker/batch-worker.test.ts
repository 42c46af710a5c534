import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { pino } from "pino";
import { z } from "zod";
import { systemClock } from "#shared/clock.ts";
import { createBatchWorker } from "./batch-worker.ts";
import { Held } from "./held.ts";
import type { WorkShop } from "./worker.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

const EVERY_MS = 30;
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp() {
  const telemetry = {
    countConsumed: () => undefined,
    startConsumeBatch: () => ({ context: ROOT_CONTEXT, parents: [] }),
    endConsumeBatch: () => undefined,
  };
  const publisher = { publish: () => ({ promise: Promise.resolve() }) };
  const closing = new AbortController().signal;
  const shop = { queue: "q", telemetry, publisher, gate: { open: () => undefined }, clock: systemClock, closing };
  const batches: number[] = [];
  const worker = createBatchWorker({ ...shop, log: pino({ level: "silent" }) } as unknown as WorkShop, {
    mailbox: "q",
    contracts: { m: z.object({}) },
    prefetch: 100,
    batch: { max: 50, lingerMs: 0, everyMs: EVERY_MS },
    handleBatch: async (deliveries) => {
      batches.push(deliveries.length);
      return deliveries.map(() => ({ kind: "done", publish: [] }));
    },
  });
  const give = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) void worker(aMessage());
    await nextTurn();
    await nextTurn();
  };
  return { batches, give };
}

function aMessage(): Held {
  const raw = { content: Buffer.from("{}"), fields: { redelivered: false }, properties: { type: "m", headers: {} } };
  return new Held(raw as unknown as Held["raw"], { ack: () => undefined } as unknown as Held["channel"]);
}

it("hands over what came in one turn at once, though one came just before", async () => {
  const { batches, give } = setUp();
  await give(1);
  expect(batches).toEqual([1]);
  await give(1);
  await give(3);
  expect(batches).toEqual([1, 1, 3]);
});

it("gathers for its pace after a batch of several", async () => {
  const { batches, give } = setUp();
  await give(2);
  await give(1);
  await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
  await give(1);
  expect(batches).toEqual([2]);
  await vi.advanceTimersByTimeAsync(1);
  expect(batches).toEqual([2, 2]);
});

it("does not wait for more once its pace is over", async () => {
  const { batches, give } = setUp();
  await give(2);
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  await give(1);
  expect(batches).toEqual([2, 1]);
});
