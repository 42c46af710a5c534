import { describe, expect, it } from "vitest";
import { nextTry, parkedTry } from "./ladder.ts";

const SCHEDULE = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000];
const LADDER = { schedule: SCHEDULE };
const PLENTY = 72 * 3_600_000;

describe("after a failed try", () => {
  it.each([
    [1, 5_000],
    [2, 30_000],
    [3, 120_000],
    [6, 3_600_000],
    [40, 3_600_000],
  ])("number %i the batch waits %i ms", (attempts, tierMs) => {
    expect(nextTry(LADDER, { attempts, leftMs: PLENTY })).toEqual({ kind: "wait", tierMs });
  });

  it("takes the longest wait that fits into what is left", () => {
    expect(nextTry(LADDER, { attempts: 6, leftMs: 500_000 })).toEqual({ kind: "wait", tierMs: 120_000 });
  });

  it("is dead where not even the shortest wait fits", () => {
    expect(nextTry(LADDER, { attempts: 1, leftMs: 4_999 })).toEqual({ kind: "dead" });
  });

  it("waits at least as long as Retry-After says", () => {
    const asked = (retryAfterMs: number) => nextTry(LADDER, { attempts: 1, leftMs: PLENTY, retryAfterMs });
    expect(asked(1_000)).toEqual({ kind: "wait", tierMs: 5_000 });
    expect(asked(60_000)).toEqual({ kind: "wait", tierMs: 120_000 });
    expect(asked(86_400_000)).toEqual({ kind: "wait", tierMs: 3_600_000 });
  });
});

describe("without an attempt", () => {
  it.each([
    [0, 5_000],
    [40_000, 30_000],
    [86_400_000, 120_000],
  ])("and nothing expected for %i ms, a batch is parked for %i ms", (expectedMs, tierMs) => {
    expect(parkedTry(LADDER, { expectedMs, leftMs: PLENTY })).toEqual({ kind: "wait", tierMs });
  });

  it("is dead at its deadline like any other", () => {
    expect(parkedTry(LADDER, { expectedMs: 0, leftMs: 1_000 })).toEqual({ kind: "dead" });
  });
});
