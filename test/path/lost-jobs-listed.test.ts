// A job that its queue took with it before it was split is in no record. `audit` lists it, and its mails end after the deadline:
// by what ingest wrote down when the job had waited for some seconds, or by the idempotency key where ingest could not.
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { QUEUES } from "#shared/broker/topology.ts";
import { createLog } from "#shared/log.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import type { StoredKey } from "#shared/store/idempotency.ts";
import { mailsOf } from "#shared/store/mails.ts";
import type { StoredWaitingJob } from "#shared/store/waiting-jobs.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import { connectManagement } from "#test/support/management.ts";
import { submitBySmtp } from "#test/support/smtp-submission.ts";
import type { TestAccount } from "#test/support/system-client.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

const MINUTES_AGO_MS = 300_000;

let system: System;
let store: Store;

beforeAll(async () => {
  system = await startSystem({ services: ["ingest", "notifier", "control", "retry-scheduler"] });
  store = connectStore(system.mongodbUri, createLog("test", "silent"));
});
afterAll(async () => {
  await store.close();
  await system.stop();
});

interface Offender {
  jobId: string;
  account: string;
  problem: string;
  evidence: string;
}

async function offenders(account: TestAccount): Promise<Offender[]> {
  const { body } = await system.control.get<{ offenders: Offender[] }>("/v1/audit/promise");
  return body.offenders.filter((offender) => offender.account === account.name);
}

async function listed(account: TestAccount, count: number): Promise<Offender[]> {
  return eventually(async () => {
    const found = await offenders(account);
    return found.length === count && found;
  }, 30_000);
}

async function deleteQueue(queue: string): Promise<void> {
  const vhost = new URL(system.amqpUrl).pathname.slice(1);
  await connectManagement(system.managementUrl).call("DELETE", `/queues/${vhost}/${queue}`);
}

const before = (date: Date): Date => new Date(date.getTime() - MINUTES_AGO_MS);

/** The key of a job as if it had been accepted some minutes ago. */
async function backdateKey(jobId: string): Promise<void> {
  const keys = store.collection<StoredKey>("idempotency");
  const key = await eventually(() => keys.findOne({ jobId, state: "done" }).then((found) => found ?? undefined));
  await keys.updateOne({ jobId }, { $set: { expiresAt: before(key.expiresAt) } });
}

const waiting = () => store.collection<StoredWaitingJob>("waiting-jobs");

/** The account's jobs as ingest wrote them down, once it has. */
function writtenDown(account: TestAccount, count: number): Promise<StoredWaitingJob[]> {
  return eventually(async () => {
    const found = await waiting().find({ "job.head.account": account.name }).toArray();
    return found.length === count && found;
  }, 30_000);
}

it("under a key: while it waits it is alive, once its queue is gone it is listed", async () => {
  const account = await system.account();
  const job = jobOf(account, ["to@recipient.example"]);
  const { body } = await system.submit(account, job, { "idempotency-key": "one" });
  const { jobId } = z.object({ jobId: z.string() }).parse(body);
  await backdateKey(jobId);
  expect(await offenders(account)).toEqual([]);
  await deleteQueue(QUEUES.jobsInteractive);
  expect(await listed(account, 1)).toMatchObject([
    { jobId, account: account.name, problem: "accepted, and nothing of the job is recorded" },
  ]);
});

it("without a key, over REST, SMTP and as bulk: listed, then every mail ends once", { timeout: 90_000 }, async () => {
  const account = await system.account();
  const many = Array.from({ length: 11 }, (_, index) => `to${index}@recipient.example`);
  await system.accept(account, jobOf(account, ["one@recipient.example", "two@recipient.example"]));
  await submitBySmtp(system, account, { from: account.sender, to: ["smtp@recipient.example"] });
  await system.accept(account, jobOf(account, many));
  const jobs = await writtenDown(account, 3);
  for (const { _id, acceptedAt } of jobs) {
    await waiting().updateOne({ _id }, { $set: { acceptedAt: before(acceptedAt) } });
  }
  expect(await offenders(account)).toEqual([]);
  await deleteQueue(QUEUES.jobsInteractive);
  await deleteQueue(QUEUES.jobsBulk);
  const found = await listed(account, 3);
  expect(found.map(({ jobId }) => jobId).toSorted()).toEqual(jobs.map(({ _id }) => _id).toSorted());
  expect(found.map(({ evidence }) => evidence).join()).toContain("11 mails");

  // As if the deadline had passed long ago.
  await waiting().updateMany({ "job.head.account": account.name }, { $set: { deadline: before(new Date()) } });
  await eventually(
    async () => (await mailsOf(store).countDocuments({ account: account.name, finishedAt: { $exists: true } })) === 14,
    30_000,
  );
  const mails = await mailsOf(store).find({ account: account.name }).toArray();
  expect(mails.map(({ subType }) => subType)).toEqual(Array.from({ length: 14 }, () => "PROCESSING_FAILED"));
  expect(mails.filter(({ late }) => late !== undefined)).toEqual([]);
  expect(await offenders(account)).toEqual([]);
});
