import { expect, it } from "vitest";
import type { Clock } from "#shared/clock.ts";
import { systemClock } from "#shared/clock.ts";
import { FaultGate } from "./fault-gate.ts";

/** A clock whose sleeps end when the test says so. */
function handClock(): { clock: Clock; waits: number[]; tick: () => Promise<void> } {
  const waits: number[] = [];
  const sleeping: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    random: () => 1,
    sleep: (ms) => {
      waits.push(ms);
      return new Promise((resolve) => sleeping.push(resolve));
    },
  };
  const tick = async (): Promise<void> => {
    sleeping.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, waits, tick };
}

it("lets one at a time try again, after waits that grow to three seconds", async () => {
  const { clock, waits, tick } = handClock();
  const gate = new FaultGate(clock, new AbortController().signal);
  const tries: string[] = [];
  const fail = async (name: string): Promise<void> => {
    await gate.wait();
    tries.push(name);
    await fail(name);
  };
  void fail("a");
  void fail("b");
  expect(gate.isShut).toBe(true);
  for (let turn = 0; turn < 8; turn += 1) await tick();
  expect(tries.slice(0, 4)).toEqual(["a", "b", "a", "b"]);
  expect(waits.slice(0, 7)).toEqual([100, 200, 400, 800, 1_600, 3_000, 3_000]);
});

it("releases all when one succeeds", async () => {
  const { clock, tick } = handClock();
  const gate = new FaultGate(clock, new AbortController().signal);
  const released: string[] = [];
  const others = ["b", "c"].map((name) => gate.wait().then(() => released.push(name)));
  await tick();
  expect(released).toEqual(["b"]);
  gate.open();
  await Promise.all(others);
  expect(gate.isShut).toBe(false);
});

it("holds nobody when the service stops", async () => {
  const closing = new AbortController();
  const gate = new FaultGate(handClock().clock, closing.signal);
  const waiting = gate.wait();
  closing.abort();
  await waiting;
  await gate.wait();
  expect(closing.signal.aborted).toBe(true);
});

it("holds nobody while it rests, and is open after it", async () => {
  const gate = new FaultGate(handClock().clock, new AbortController().signal);
  const waiting = gate.wait();
  gate.rest(true);
  await waiting;
  await gate.wait();
  expect(gate.isResting).toBe(true);
  gate.rest(false);
  expect([gate.isResting, gate.isShut]).toEqual([false, false]);
});
