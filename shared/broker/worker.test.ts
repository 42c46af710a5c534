import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { expect, it, onTestFinished } from "vitest";
import { pino } from "pino";
import { systemClock } from "#shared/clock.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import { contextOf, traceparentOf } from "#shared/telemetry/propagate.ts";
import type { Verdict } from "./actor.ts";
import { FaultGate } from "./fault-gate.ts";
import { Held } from "./held.ts";
import type { Job, WorkShop } from "./worker.ts";
import { attempt, settle, waitForService } from "./worker.ts";

function shopOf(gate: FaultGate): WorkShop {
  const telemetry = { countFault: () => undefined };
  const closing = new AbortController().signal;
  return {
    queue: "q",
    gate,
    telemetry,
    log: pino({ level: "silent" }),
    clock: systemClock,
    closing,
  } as unknown as WorkShop;
}

const jobOf = (): Job<unknown> => ({
  held: new Held({} as Held["raw"], {} as Held["channel"]),
  delivery: { suspect: false } as Job<unknown>["delivery"],
});
const away = (): Error => new StoreUnavailable("MongoDB is away", undefined);

it("leaves its gate open when a delivery that was lost fails for a backing service", async () => {
  const gate = new FaultGate(systemClock, new AbortController().signal);
  const job = jobOf();
  const outcome = attempt(shopOf(gate), job, async () => {
    job.held.lose();
    throw away();
  });
  expect(await outcome).toBeUndefined();
  expect(gate.isShut).toBe(false);
});

it("opens its gate again when a delivery is lost while it waits there", async () => {
  const gate = new FaultGate(systemClock, new AbortController().signal);
  const job = jobOf();
  const outcome = attempt(shopOf(gate), job, () => Promise.reject(away()));
  await new Promise((resolve) => setImmediate(resolve));
  expect(gate.isShut).toBe(true);
  job.held.lose();
  expect(await outcome).toBeUndefined();
  expect(gate.isShut).toBe(false);
});

it("opens a gate that it has shut before when its delivery is lost while it is tried again", async () => {
  const gate = new FaultGate(systemClock, new AbortController().signal);
  const job = jobOf();
  let tries = 0;
  const outcome = attempt(shopOf(gate), job, async () => {
    tries += 1;
    if (tries === 2) job.held.lose();
    throw away();
  });
  expect(await outcome).toBeUndefined();
  expect(gate.isShut).toBe(false);
});

it("publishes nothing of a verdict before what that waits for, and nothing at all when its delivery is lost meanwhile", async () => {
  const published: unknown[] = [];
  const publish = (messages: readonly unknown[]) => {
    published.push(...messages);
    return { promise: Promise.reject(away()), abandon: () => undefined };
  };
  const shop = {
    ...shopOf(new FaultGate(systemClock, new AbortController().signal)),
    publisher: { publish },
  } as unknown as WorkShop;
  const [message, after] = [{ type: "mail" }, Promise.withResolvers<void>()];
  const verdict = { kind: "done", publish: [message], after: after.promise } as unknown as Verdict;
  const [kept, lost] = [jobOf(), jobOf()];
  const settled = [kept, lost].map(({ held }) => settle(shop, held, { verdict, suspect: false }));
  lost.held.lose();
  await settled[1];
  expect(published).toEqual([]);
  after.resolve();
  await settled[0]?.catch(() => undefined);
  expect(published).toEqual([message]);
});

it("logs what it parks with the ids of the message's own trace", async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  onTestFinished(() => context.disable());
  const parent = contextOf("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const logged: unknown[] = [];
  const log = { error: (_facts: object, event: string) => logged.push([event, traceparentOf(context.active())]) };
  const shop = {
    ...shopOf(new FaultGate(systemClock, new AbortController().signal)),
    log,
    telemetry: { countParked: () => undefined },
    publisher: { publish: async () => undefined },
  } as unknown as WorkShop;
  const raw = { content: Buffer.alloc(0), fields: {}, properties: { headers: {} } } as unknown as Held["raw"];
  const held = new Held(raw, { ack: () => undefined } as unknown as Held["channel"]);
  await settle(shop, held, { verdict: { kind: "park", reason: "no" }, suspect: false, parent }).catch(() => undefined);
  expect(logged).toEqual([["mailbox.parked", traceparentOf(parent)]]);
});

/** A channel that tells what it was asked to give back. */
function returningChannel(): { returned: unknown[]; channel: Held["channel"] } {
  const returned: unknown[] = [];
  const nack = (...given: unknown[]): void => void returned.push(given);
  return { returned, channel: { nack } as unknown as Held["channel"] };
}

it("gives a message of several parts back once when its mailbox comes to rest while they wait for their service", async () => {
  const gate = new FaultGate(systemClock, new AbortController().signal);
  const { returned, channel } = returningChannel();
  const [raw, part] = [{}, {}] as [Held["raw"], Held["raw"]];
  const whole = new Held(raw, channel);
  const outcomes = whole
    .split([part, part])
    .map((held) => attempt(shopOf(gate), { ...jobOf(), held }, () => Promise.reject(away())));
  await new Promise((resolve) => setImmediate(resolve));
  gate.rest(true);
  expect(await Promise.all(outcomes)).toEqual([undefined, undefined]);
  expect(returned).toEqual([[raw, false, true]]);
  expect(whole.isLost).toBe(true);
});

it("gives back all of a batch that waits for its service when its mailbox comes to rest", async () => {
  const gate = new FaultGate(systemClock, new AbortController().signal);
  const { returned, channel } = returningChannel();
  const batch = [1, 2].map(() => new Held({} as Held["raw"], channel));
  const waiting = waitForService(shopOf(gate), batch, away());
  gate.rest(true);
  await waiting;
  expect(returned).toHaveLength(2);
  expect(batch.every(({ isLost }) => isLost)).toBe(true);
});
