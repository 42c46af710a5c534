// What `waypost doctor` says of the queues, and while the database is away.
import { expect, it } from "vitest";
import { StoreUnavailable } from "#shared/errors.ts";
import type { ApiContext } from "./context.ts";
import { examine } from "./doctor.ts";

it("says nothing of relays while the database is away, rather than that there are none", async () => {
  const context = {
    broker: { ready: true, depth: async () => 0, differs: async () => false },
    store: { ping: () => Promise.reject(new StoreUnavailable("away")), failure: "Authentication failed." },
    configuration: { isFresh: false },
  } as unknown as ApiContext;
  const checks = await examine(context);
  expect(checks.at(-1)).toMatchObject({ check: "database", detail: "Authentication failed." });
  expect(checks.map(({ check, ok }) => [check, ok])).toEqual([
    ["broker", true],
    ["topology", true],
    ["database", false],
  ]);
});

it("names queues that are missing, and those that somebody declared otherwise", async () => {
  const context = {
    broker: {
      ready: true,
      depth: async (name: string) => (name === "notifier.events" ? undefined : 0),
      differs: async ({ name }: { name: string }) => name === "router.due",
    },
    store: { ping: () => Promise.reject(new StoreUnavailable("away")) },
    configuration: { isFresh: false },
  } as unknown as ApiContext;
  const checks = await examine(context);
  expect(checks.filter(({ check }) => check === "topology")).toEqual([
    expect.objectContaining({ ok: false, detail: "missing: notifier.events" }),
    expect.objectContaining({ ok: false, detail: "not as Waypost declares it: router.due" }),
  ]);
});
