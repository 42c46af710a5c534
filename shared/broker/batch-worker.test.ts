import { afterEach, beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { pino } from "pino";
import { z } from "zod";
import { systemClock } from "#shared/clock.ts";
import { contextOf, traceparentOf } from "#shared/telemetry/propagate.ts";
import type { BatchActor } from "./actor.ts";
import { createBatchWorker } from "./batch-worker.ts";
import { Held } from "./held.ts";
import type { WorkShop } from "./worker.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

type Handle = BatchActor<unknown>["handleBatch"];

const EVERY_MS = 30;
/** A batch begins in a turn of its own. */
const BATCHES = 3;

async function someTurns(): Promise<void> {
  for (let turn = 0; turn < 2 * BATCHES; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function setUp(
  batch: object = {},
  { parents = [], ...actor }: { parents?: readonly object[]; handleBatch?: Handle } = {},
) {
  const telemetry = {
    countConsumed: () => undefined,
    countParked: () => undefined,
    startConsumeBatch: () => ({ context: ROOT_CONTEXT, parents }),
    endConsumeBatch: () => undefined,
  };
  const confirms: (() => void)[] = [];
  let isConfirming = true;
  let isBroken = false;
  const publish = () => {
    if (isBroken) return { promise: Promise.reject(new RangeError("too large")) };
    if (isConfirming) return { promise: Promise.resolve() };
    return { promise: new Promise<void>((resolve) => confirms.push(resolve)) };
  };
  const publisher = { publish };
  const closing = new AbortController().signal;
  const shop = { queue: "q", telemetry, publisher, gate: { open: () => undefined }, clock: systemClock, closing };
  const batches: number[] = [];
  const worker = createBatchWorker({ ...shop, log: pino({ level: "silent" }) } as unknown as WorkShop, {
    mailbox: "q",
    contracts: { m: z.looseObject({}) },
    prefetch: 100,
    batch: { max: 50, lingerMs: 0, everyMs: EVERY_MS, ...batch },
    handleBatch: async (deliveries) => {
      batches.push(deliveries.length);
      return deliveries.map(() => ({
        kind: "done",
        publish: [{ exchange: "e", routingKey: "k", type: "m", body: {} }],
      }));
    },
    ...actor,
  });
  const give = async (count: number, body = {}): Promise<void> => {
    for (let index = 0; index < count; index += 1) void worker(aMessage(body));
    await someTurns();
  };
  /** From now on confirms come when they are let: one by one, oldest first. */
  const holdConfirms = (): void => void (isConfirming = false);
  const confirm = async (count: number): Promise<void> => {
    for (const resolve of confirms.splice(0, count)) resolve();
    await someTurns();
  };
  /** From now on nothing can be published, dead letters neither. */
  const breakPublishing = (): void => void (isBroken = true);
  return { batches, worker, give, holdConfirms, confirm, breakPublishing };
}

function aMessage(body: object): Held {
  const raw = {
    content: Buffer.from(JSON.stringify(body)),
    fields: { redelivered: false },
    properties: { type: "m", headers: {} },
  };
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

const LOADED = { everyMs: 0, load: { of: ({ weight }: { weight: number }) => weight, most: 10 } };

it("begins no batch while as much is in hand as may be", async () => {
  const { batches, give, holdConfirms, confirm } = setUp(LOADED);
  holdConfirms();
  await give(2, { weight: 5 });
  await give(3, { weight: 1 });
  expect(batches).toEqual([2]);
  await confirm(2);
  expect(batches).toEqual([2, 3]);
});

it("takes as many as there is room for, and one that is larger alone", async () => {
  const { batches, give, holdConfirms, confirm } = setUp(LOADED);
  holdConfirms();
  await give(3, { weight: 4 });
  expect(batches).toEqual([2, 1]);
  await give(1, { weight: 40 });
  await confirm(3);
  expect(batches).toEqual([2, 1, 1]);
  await give(1, { weight: 1 });
  expect(batches).toEqual([2, 1, 1]);
  await confirm(1);
  expect(batches).toEqual([2, 1, 1, 1]);
});

it("says so where a message can neither be handled nor parked", async () => {
  const { worker, breakPublishing } = setUp();
  breakPublishing();
  await expect(worker(aMessage({}))).rejects.toThrow("too large");
});

it("handles the messages of a batch that failed each in its own trace, which its log then has", async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  onTestFinished(() => context.disable());
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const traces: unknown[] = [];
  const failing = async (deliveries: readonly unknown[]) => {
    traces.push(traceparentOf(context.active()));
    if (deliveries.length > 1) throw new Error("a bug");
    return deliveries.map(() => ({ kind: "done" as const, publish: [] }));
  };
  const { give } = setUp({}, { parents: [contextOf(traceparent)], handleBatch: failing });
  await give(2);
  expect(traces).toEqual([undefined, traceparent, undefined]);
});

it("keeps no place for the others of a batch while one of them waits for something of its own", async () => {
  const { worker } = setUp(
    {},
    {
      handleBatch: async ([, ...others]) => [
        { kind: "done", publish: [], after: new Promise(() => undefined) },
        ...others.map(() => ({ kind: "done" as const, publish: [] })),
      ],
    },
  );
  const ended: number[] = [];
  for (const index of [0, 1, 2]) void worker(aMessage({})).then(() => ended.push(index));
  await someTurns();
  expect(ended).toEqual([1, 2]);
});
