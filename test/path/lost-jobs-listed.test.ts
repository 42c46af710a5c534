// A job that its queue took with it before it was split is in no record: `audit` lists it by its idempotency key.
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { QUEUES } from "#shared/broker/topology.ts";
import { createLog } from "#shared/log.ts";
import { connectStore } from "#shared/store/connection.ts";
import type { StoredKey } from "#shared/store/idempotency.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import { connectManagement } from "#test/support/management.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

const MINUTES_AGO_MS = 300_000;

let system: System;

beforeAll(async () => {
  system = await startSystem({ services: ["ingest", "notifier", "control"] });
});
afterAll(() => system.stop());

async function offenders(): Promise<{ jobId: string; account: string; problem: string }[]> {
  const { body } = await system.control.get<{ offenders: { jobId: string; account: string; problem: string }[] }>(
    "/v1/audit/promise",
  );
  return body.offenders;
}

/** The key of a job as if it had been accepted some minutes ago. */
async function backdate(jobId: string): Promise<void> {
  const store = connectStore(system.mongodbUri, createLog("test", "silent"));
  const keys = store.collection<StoredKey>("idempotency");
  const key = await eventually(() => keys.findOne({ jobId, state: "done" }).then((found) => found ?? undefined));
  await keys.updateOne({ jobId }, { $set: { expiresAt: new Date(key.expiresAt.getTime() - MINUTES_AGO_MS) } });
  await store.close();
}

it("while it waits it is alive, once its queue is gone it is listed", async () => {
  const account = await system.account();
  const job = jobOf(account, ["to@recipient.example"]);
  const { body } = await system.submit(account, job, { "idempotency-key": "one" });
  const { jobId } = z.object({ jobId: z.string() }).parse(body);
  await backdate(jobId);
  expect(await offenders()).toEqual([]);
  const vhost = new URL(system.amqpUrl).pathname.slice(1);
  await connectManagement(system.managementUrl).call("DELETE", `/queues/${vhost}/${QUEUES.jobsInteractive}`);
  const listed = await eventually(async () => {
    const found = await offenders();
    return found.length > 0 && found;
  }, 30_000);
  expect(listed).toMatchObject([
    { jobId, account: account.name, problem: "accepted, and nothing of the job is recorded" },
  ]);
});
