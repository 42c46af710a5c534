import { expect, it } from "vitest";
import type { Clock } from "#shared/clock.ts";
import { createLog } from "#shared/log.ts";
import type { DeadNotification } from "#shared/store/dead-notifications.ts";
import { createDeadKeeper } from "./dead.ts";

it("a replay of more than half a minute's work tells how far it came, and that there are more", async () => {
  let nowMs = 0;
  let pages = 10;
  const dead = { _id: "batch", batch: { batchId: "batch", push: { meta: {}, notifications: [] } } };
  const keeper = createDeadKeeper({
    broker: { publish: async () => void (nowMs += 12_000) },
    clock: { nowMs: () => nowMs, now: () => new Date(nowMs) } as Clock,
    log: createLog("test", "silent"),
    store: {
      add: async () => undefined,
      take: async () => (pages-- > 0 ? [dead as unknown as DeadNotification] : []),
      remove: async () => undefined,
    },
    writer: { settle: async () => undefined, erasedOf: async () => new Set() },
    terms: { retentionMs: 1, deadlineMs: 1 },
  });
  expect(await keeper.replay({ account: "acme" })).toEqual({ replayed: 3, hasMore: true });
});
