import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createChangeReader } from "./changed.ts";
import type { Store } from "./connection.ts";

it("sees a change in a database that was replaced and has counted as many", async () => {
  let documents: object[] = [];
  const store = { collection: () => ({ find: () => ({ toArray: async () => documents }) }) } as unknown as Store;
  const reader = createChangeReader(store, systemClock);
  documents = [{ _id: "acme/acme.example", changes: 2, changedAt: new Date("2026-11-29T12:00:00.000Z") }];
  expect([...(await reader.changed())]).toEqual(["acme/acme.example"]);
  expect([...(await reader.changed())]).toEqual([]);
  documents = [{ _id: "acme/acme.example", changes: 2, changedAt: new Date("2026-11-29T13:00:00.000Z") }];
  expect([...(await reader.changed())]).toEqual(["acme/acme.example"]);
});
