// What `waypost doctor` says while the database is away.
import { expect, it } from "vitest";
import { StoreUnavailable } from "#shared/errors.ts";
import type { ApiContext } from "./context.ts";
import { examine } from "./doctor.ts";

it("says nothing of relays while the database is away, rather than that there are none", async () => {
  const context = {
    broker: { ready: true, depth: async () => 0 },
    store: { ping: () => Promise.reject(new StoreUnavailable("away")) },
    configuration: { isFresh: false },
  } as unknown as ApiContext;
  const checks = await examine(context);
  expect(checks.map(({ check, ok }) => [check, ok])).toEqual([
    ["broker", true],
    ["topology", true],
    ["database", false],
  ]);
});
