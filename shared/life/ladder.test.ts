import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDuration } from "#shared/duration.ts";
import type { Ladder } from "./ladder.ts";
import { ladderOf, nextWait } from "./ladder.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DEFAULT = ladderOf("1m,5m,15m,30m,1h,2h,4h".split(",").map((text) => parseDuration(text) ?? 0));

describe("the ladder", () => {
  it.each([
    [1, 1 * MINUTE],
    [2, 5 * MINUTE],
    [3, 15 * MINUTE],
    [4, 30 * MINUTE],
    [5, 1 * HOUR],
    [6, 2 * HOUR],
    [7, 4 * HOUR],
    [8, 4 * HOUR],
    [500, 4 * HOUR],
  ])("after attempt %i waits %i ms", (attempt, waitMs) => {
    expect(nextWait(DEFAULT, attempt, 48 * HOUR)).toBe(waitMs);
  });

  it.each([
    [9, 3 * HOUR, 2 * HOUR],
    [9, 4 * HOUR, 2 * HOUR],
    [9, 50 * MINUTE, 30 * MINUTE],
    [9, 4 * MINUTE, 1 * MINUTE],
    [1, 61_000, 1 * MINUTE],
    [9, 60_001, 1 * MINUTE],
  ])("after attempt %i with %i ms left takes the longest wait that fits", (attempt, leftMs, waitMs) => {
    expect(nextWait(DEFAULT, attempt, leftMs)).toBe(waitMs);
  });

  it.each([60_000, 30_000, 0, -5])("has nothing to offer with %i ms left", (leftMs) => {
    expect(nextWait(DEFAULT, 9, leftMs)).toBeUndefined();
  });
});

/** Times of the attempts until the deadline, each failing at once; a wait lasts up to `latencyMs` longer than its tier. */
function attemptsOf(ladder: Ladder, deadlineMs: number, latencyMs: number): number[] {
  const attempts: number[] = [];
  for (let at = 0; attempts.length < 100_000;) {
    attempts.push(at);
    const waitMs = nextWait(ladder, attempts.length, deadlineMs - at);
    if (waitMs === undefined || at + waitMs + latencyMs >= deadlineMs) break;
    at += waitMs + latencyMs;
  }
  return attempts;
}

const ladders = fc
  .array(fc.integer({ min: 1_000, max: 4 * HOUR }), { minLength: 1, maxLength: 8 })
  .map((waits) => ladderOf(waits));

describe("whatever the ladder", () => {
  it("the last attempt falls at most one shortest wait before the deadline, and none after it", () => {
    fc.assert(
      fc.property(ladders, fc.integer({ min: 1_000, max: 8 * HOUR }), (ladder, deadlineMs) => {
        const shortest = Math.min(...ladder);
        const last = attemptsOf(ladder, deadlineMs, 0).at(-1) ?? 0;
        expect(last).toBeLessThan(deadlineMs);
        expect(deadlineMs - last).toBeLessThanOrEqual(shortest);
      }),
    );
  });

  it("a way back that takes its time keeps to it, but for that time", () => {
    fc.assert(
      fc.property(
        ladders,
        fc.integer({ min: 1_000, max: 8 * HOUR }),
        fc.integer({ min: 0, max: 200 }),
        (ladder, ...rest) => {
          const [deadlineMs, latencyMs] = rest;
          const last = attemptsOf(ladder, deadlineMs, latencyMs).at(-1) ?? 0;
          expect(last).toBeLessThan(deadlineMs);
          expect(deadlineMs - last).toBeLessThanOrEqual(Math.min(...ladder) + latencyMs);
        },
      ),
    );
  });

  it("answers in total order: more time left never means a shorter wait", () => {
    fc.assert(
      fc.property(
        ladders,
        fc.integer({ min: 1, max: 20 }),
        fc.nat(9 * HOUR),
        fc.nat(9 * HOUR),
        (ladder, attempt, ...left) => {
          const [less = 0, more = 0] = left.toSorted((one, other) => one - other);
          const wanted = ladder[Math.min(attempt, ladder.length) - 1] ?? 0;
          const [short, long] = [nextWait(ladder, attempt, less), nextWait(ladder, attempt, more)];
          expect(long === wanted || (short ?? 0) <= (long ?? 0)).toBe(true);
        },
      ),
    );
  });
});
