// When an account that was removed goes (design, Routing).
import { expect, it } from "vitest";
import { createLog } from "#shared/log.ts";
import type { ApiContext } from "./api/context.ts";
import { sweepRemoved } from "./removal.ts";

const REMOVED_MS = Date.parse("2026-08-01T00:00:00Z");

/** A system at rest with one account that is leaving; how often a service was asked to forget it. */
function systemAtRest(): {
  context: ApiContext;
  set: (state: { afterMs?: number; holdsJob?: boolean; isUntold?: boolean }) => void;
  forgotten: () => number;
} {
  let state = { afterMs: 0, holdsJob: false, isUntold: false };
  let forgotten = 0;
  const nowMs = (): number => REMOVED_MS + state.afterMs;
  const context = {
    settings: { notifyDeadlineMs: 72 * 3_600_000 },
    clock: { nowMs, now: () => new Date(nowMs()) },
    log: createLog("test", "silent"),
    accounts: { leaving: async () => [{ _id: "acme", removedAt: new Date(REMOVED_MS) }] },
    relays: { deletedBefore: async () => [] },
    broker: {
      depth: async () => 0,
      request: async () => {
        forgotten += 1;
        return { status: "refused", reason: "this test goes no further" };
      },
    },
    marks: { recordedUpTo: async () => new Date(nowMs()) },
    mails: { waiting: async () => 0, awaitsNotification: async () => state.isUntold },
    held: { areOf: async () => state.holdsJob },
  } as unknown as ApiContext;
  return { context, set: (more) => (state = { ...state, ...more }), forgotten: () => forgotten };
}

it("goes when all that was in the queues is recorded and nothing waits", async () => {
  const { context, set, forgotten } = systemAtRest();
  const seen = new Map();
  for (const afterMs of [1_000, 3_000, 5_000]) {
    set({ afterMs });
    await sweepRemoved(context, seen);
    expect(forgotten()).toBe(0);
  }
  set({ afterMs: 8_000 });
  await sweepRemoved(context, seen);
  expect(forgotten()).toBeGreaterThan(0);
});

it("stays while a job of it is parked, and after its replay until the queues were seen empty once more", async () => {
  const { context, set, forgotten } = systemAtRest();
  const seen = new Map();
  for (const afterMs of [3_000, 9_000, 60_000]) {
    set({ afterMs, holdsJob: true });
    await sweepRemoved(context, seen);
  }
  for (const afterMs of [61_000, 65_000]) {
    set({ afterMs, holdsJob: false });
    await sweepRemoved(context, seen);
    expect(forgotten()).toBe(0);
  }
  set({ afterMs: 67_000 });
  await sweepRemoved(context, seen);
  expect(forgotten()).toBeGreaterThan(0);
});

it("goes when the longest deadline is over, whatever is left of it", async () => {
  const { context, set, forgotten } = systemAtRest();
  set({ afterMs: 50 * 3_600_000, holdsJob: true });
  await sweepRemoved(context, new Map());
  expect(forgotten()).toBeGreaterThan(0);
});

it("stays while an end of its mails may still be told, and no longer where that was lost with the broker", async () => {
  const { context, set, forgotten } = systemAtRest();
  set({ afterMs: 120 * 3_600_000, isUntold: true });
  await sweepRemoved(context, new Map());
  expect(forgotten()).toBe(0);
  set({ afterMs: 122 * 3_600_000 });
  await sweepRemoved(context, new Map());
  expect(forgotten()).toBeGreaterThan(0);
});
