import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createLooks } from "./looks.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const LONG_MS = 60_000;
const open = new AbortController().signal;
/** Lets what is due be done, without a moment's passing. */
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

function setUp() {
  const { signal } = new AbortController();
  const sleep = (ms: number, aborted: AbortSignal = signal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (aborted.aborted) return reject(new Error("aborted"));
      setTimeout(resolve, ms);
      aborted.addEventListener("abort", () => reject(new Error("aborted")));
    });
  const looks = createLooks({ ...systemClock, sleep });
  let ended = 0;
  const wait = (until = open): void => void looks.wait(LONG_MS, until).then(() => (ended += 1));
  return { looks, wait, ended: () => ended };
}

it("waits its time where nobody calls", async () => {
  const { wait, ended } = setUp();
  wait();
  await vi.advanceTimersByTimeAsync(LONG_MS - 1);
  expect(ended()).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(ended()).toBe(1);
});

it("ends a wait, and that which follows a call between two waits", async () => {
  const { looks, wait, ended } = setUp();
  wait();
  looks.soon();
  await settle();
  expect(ended()).toBe(1);
  looks.soon();
  wait();
  await settle();
  expect(ended()).toBe(2);
  wait();
  await settle();
  expect(ended()).toBe(2);
});

it("ends with the one who looks", async () => {
  const { wait, ended } = setUp();
  const stopped = new AbortController();
  wait(stopped.signal);
  stopped.abort();
  await settle();
  expect(ended()).toBe(1);
});
