import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createLog } from "#shared/log.ts";
import type { Lane } from "#shared/routing/lane.ts";
import type { Store } from "./connection.ts";
import { createLanes } from "./lanes.ts";

it("lists all lanes but what was written there by hand and is none", async () => {
  const lane: Lane = { kind: "mx", name: "delivery.mx.3", shard: 3 };
  const documents = [{ _id: "by-hand" }, { _id: "delivery.mx.4", lane: null }, { _id: lane.name, lane }];
  const store = { collection: () => ({ find: () => ({ toArray: async () => documents }) }) } as unknown as Store;
  expect(await createLanes(store, systemClock, createLog("test", "silent")).list()).toEqual([{ lane }]);
});
