import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { DEFAULT_SMTP_TIMEOUTS } from "#shared/settings-schedules.ts";
import { StepTimer } from "./step-timer.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const timeouts = { ...DEFAULT_SMTP_TIMEOUTS, command: 300_000, data: 180_000, dot: 600_000 };
const LONG_MS = 3_600_000;

function setUp(totalMs = LONG_MS) {
  const socket = { bytesWritten: 0, writableLength: 0 };
  const late: string[] = [];
  const timer = new StepTimer(socket as Socket, systemClock, (step, { cause }) => late.push(`${step}: ${cause}`));
  const now = systemClock.nowMs();
  timer.start({ timeouts, totalMs: now + totalMs, deadlineMs: now + 2 * LONG_MS }, "mail");
  return { socket, late, timer };
}

it("a step has all of its own time, whatever was set for the one before", async () => {
  const { late, timer } = setUp();
  await vi.advanceTimersByTimeAsync(200_000);
  timer.follow("dot");
  await vi.advanceTimersByTimeAsync(599_000);
  expect(late).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(late).toEqual(["dot: timeout"]);
});

it("a step that ends sooner than the one before is not waited for as long", async () => {
  const { late, timer } = setUp();
  timer.follow("data");
  await vi.advanceTimersByTimeAsync(180_000);
  expect(late).toEqual(["data: timeout"]);
});

it("data that moves is not late until the whole attempt is", async () => {
  const { socket, late, timer } = setUp(400_000);
  timer.follow("data");
  for (let moved = 1; moved <= 3; moved += 1) {
    socket.bytesWritten = moved * 1_000;
    await vi.advanceTimersByTimeAsync(133_000);
  }
  expect(late).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(late).toEqual(["data: timeout"]);
});

it("between two mails nothing is late, and the next has all of its time", async () => {
  const { late, timer } = setUp();
  timer.stop();
  await vi.advanceTimersByTimeAsync(301_000);
  const now = systemClock.nowMs();
  timer.start({ timeouts, totalMs: now + LONG_MS, deadlineMs: now + LONG_MS }, "mail");
  await vi.advanceTimersByTimeAsync(299_000);
  expect(late).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(late).toEqual(["mail: timeout"]);
});

it("leaves no timer behind a conversation that is over", () => {
  const { timer } = setUp();
  timer.close();
  expect(vi.getTimerCount()).toBe(0);
});
