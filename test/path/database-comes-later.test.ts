// A process that is started while the database is away finds it when it comes, however long that took.
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startDatabase } from "#deploy/local/database.ts";
import { installDatabase } from "#deploy/local/install-database.ts";
import { findDatabase } from "#deploy/local/programs.ts";
import { createLog } from "#shared/log.ts";
import { connectStore } from "#shared/store/connection.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";

const COMES_MS = 40_000;

it("connects to a database that comes later than an operation waits", async () => {
  if (findDatabase() === undefined) await installDatabase();
  const program = findDatabase() ?? "";
  const directory = join(testBacking().directory, uniqueLabel("later"));
  const database = await startDatabase({ program, directory });
  onTestFinished(() => database.kill());
  await database.kill();

  const store = connectStore(database.mongodbUri, createLog("test", "silent"));
  onTestFinished(() => store.close());
  await expect(store.ping()).rejects.toThrow("MongoDB cannot be reached");
  await expect(store.db.command({ ping: 1 })).rejects.toThrow("Topology is closed");
  expect(store.failure).toContain("ECONNREFUSED");

  await database.start();
  await eventually(async () => store.ping().then(() => true), COMES_MS);
  expect(store.isReady).toBe(true);
  expect(store.failure).toBeUndefined();
  expect(await store.db.command({ ping: 1 })).toMatchObject({ ok: 1 });
});
