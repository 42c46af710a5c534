import { pino } from "pino";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import type { WaitingJob } from "#shared/store/waiting-jobs.ts";
import { aJob } from "#test/support/build-mail.ts";
import { LOOK_AFTER_MS, startJobWatch } from "./job-watch.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function jobOf(addresses: number): WaitingJob {
  return { head: aJob().head, addresses: Array.from({ length: addresses }, (_, index) => `r${index}@example.net`) };
}

function setUp() {
  const asked: number[] = [];
  const state = { isAway: false, leaving: "" };
  const keep = async (jobs: readonly WaitingJob[]): Promise<number> => {
    if (state.isAway) throw new StoreUnavailable("away");
    asked.push(jobs.length);
    return 0;
  };
  const jobs = { keep, clear: async () => undefined };
  const isLeaving = (account: string): boolean => account === state.leaving;
  const watch = startJobWatch({ jobs, isLeaving, clock: systemClock, log: pino({ level: "silent" }) });
  return { watch, asked, state };
}

it("asks for jobs some seconds after their acceptance, together and once", async () => {
  const { watch, asked } = setUp();
  watch.accepted(jobOf(1));
  watch.accepted(jobOf(2));
  await vi.advanceTimersByTimeAsync(LOOK_AFTER_MS - 1_000);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toEqual([2]);
});

it("asks at once for the jobs of an account that is leaving, and for no others", async () => {
  const { watch, asked, state } = setUp();
  const job = jobOf(1);
  watch.accepted(job);
  watch.accepted({ ...job, head: { ...job.head, account: "leaving" } });
  watch.accepted(job);
  state.leaving = "leaving";
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked).toEqual([1]);
  await vi.advanceTimersByTimeAsync(LOOK_AFTER_MS);
  expect(asked).toEqual([1, 2]);
});

it("asks again when the database was away", async () => {
  const { watch, asked, state } = setUp();
  state.isAway = true;
  watch.accepted(jobOf(1));
  await vi.advanceTimersByTimeAsync(30_000);
  state.isAway = false;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked).toEqual([1]);
});

it("remembers no more addresses than it may, whatever the database does", async () => {
  const { watch, asked, state } = setUp();
  state.isAway = true;
  for (let count = 0; count < 300; count += 1) watch.accepted(jobOf(1_000));
  await vi.advanceTimersByTimeAsync(2_000);
  state.isAway = false;
  await vi.advanceTimersByTimeAsync(2_000);
  const jobs = asked.reduce((sum, count) => sum + count, 0);
  expect(jobs).toBeGreaterThan(0);
  expect(jobs).toBeLessThanOrEqual(200);
});

it("asks at its end for all that it remembers", async () => {
  const { watch, asked } = setUp();
  watch.accepted(jobOf(1));
  await watch.stop();
  expect(asked).toEqual([1]);
});
