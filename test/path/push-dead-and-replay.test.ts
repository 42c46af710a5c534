// What no endpoint takes within WAYPOST_NOTIFY_DEADLINE is dead: kept with its reason, replayed with the same tags, erased and forgotten.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Outgoing } from "#shared/broker/actor.ts";
import { systemClock } from "#shared/clock.ts";
import { batchMessageSchema } from "#shared/contracts/batch.ts";
import { createLog } from "#shared/log.ts";
import { createDeadNotifications } from "#shared/store/dead-notifications.ts";
import { createMailWriter } from "#shared/store/mail-writer.ts";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone } from "#test/support/notifier.ts";
import { startNotifier, testJob, writeAccount } from "#test/support/notifier.ts";
import type { DeadKeeper } from "../../services/notifier/dead.ts";
import { createDeadKeeper } from "../../services/notifier/dead.ts";

let notifier: NotifierAlone;
let endpoint: Endpoint;
let status = 500;

beforeAll(async () => {
  notifier = await startNotifier({
    WAYPOST_NOTIFY_SCHEDULE: "1s",
    WAYPOST_NOTIFY_DEADLINE: "2s",
    WAYPOST_NOTIFY_LINGER: "5s",
  });
  endpoint = await startEndpoint(() => ({ status }));
});

afterAll(async () => {
  await notifier.stop();
  await endpoint.close();
});

async function dieOnce() {
  status = 500;
  const job = testJob(await notifier.account({ url: endpoint.url }));
  await notifier.publish(job.life(0));
  const [dead] = await eventually(async () => {
    const found = await notifier.dead(job.head.account);
    return found.length > 0 ? found : undefined;
  });
  return { job, account: job.head.account, dead };
}

const deadOf = (account: string): Promise<{ batch: unknown }[]> =>
  notifier.store.collection<{ account: string; batch: unknown }>("dead-notifications").find({ account }).toArray();

const tagsOf = (jobId: string) =>
  new Set(endpoint.notifications.filter(({ job }) => job.jobId === jobId).map(({ meta }) => meta.tag));

it("is listed with id, job, account, URL and reason", async () => {
  const { job, account, dead } = await dieOnce();
  expect(dead).toMatchObject({
    id: expect.stringMatching(/^msg_/) as string,
    jobId: job.head.jobId,
    account,
    url: endpoint.url,
    reason: "500: not a success",
    notifications: 3,
  });
  await eventually(async () => !(await notifier.reader.awaitsNotification(account)));
});

it.each(["account", "ids"] as const)("is replayed by %s with the same tags, and is dead no more", async (by) => {
  const { job, account, dead } = await dieOnce();
  const tags = tagsOf(job.head.jobId);
  status = 200;
  const choice = by === "account" ? { account } : { ids: [dead?.id ?? ""] };
  const reply = await notifier.command({ command: "replay-notifications", ...choice });
  expect(reply).toEqual({ status: "done", result: { replayed: 1 } });
  await eventually(() => endpoint.acknowledged.filter((item) => item.job.jobId === job.head.jobId).length === 3);
  expect(tagsOf(job.head.jobId)).toEqual(tags);
  expect(await notifier.dead(account)).toEqual([]);
});

function keeperOf(publish: (messages: readonly Outgoing[]) => Promise<void>): DeadKeeper {
  const store = createDeadNotifications(notifier.store);
  const writer = createMailWriter(notifier.store);
  const terms = { retentionMs: 86_400_000, deadlineMs: 2_000 };
  return createDeadKeeper({
    broker: { publish },
    clock: systemClock,
    log: createLog("test", "silent"),
    store,
    writer,
    terms,
  });
}

it("stays in the list where it dies again before its replay is confirmed", async () => {
  const { account, dead } = await dieOnce();
  const keeper = keeperOf(async (messages) => {
    for (const { body } of messages) await keeper.keep(batchMessageSchema.parse(body), { url: "", reason: "again" });
  });
  expect(await keeper.replay({ account })).toEqual({ replayed: 1 });
  expect(await notifier.dead(account)).toMatchObject([{ id: dead?.id, reason: "again" }]);
});

it("dies with the reason where the account's endpoint was taken away", async () => {
  status = 500;
  const account = await notifier.account({ url: endpoint.url });
  const job = testJob(account);
  await notifier.publish(job.life(0));
  await eventually(() => tagsOf(job.head.jobId).size > 0);
  const { notification: _endpoint, ...without } = account;
  await writeAccount(notifier, without);
  const [dead] = await eventually(async () => {
    const found = await notifier.dead(account._id);
    return found.length > 0 ? found : undefined;
  });
  expect(dead?.reason).toBe("the account has no endpoint");
});

it("is awaited where the endpoint was configured after the mail had begun", async () => {
  status = 500;
  const account = await notifier.account();
  const job = testJob(account);
  const [started, processed, delivered] = job.life(0);
  if (started === undefined || processed === undefined || delivered === undefined) throw new Error("a whole life");
  await notifier.publish([started, processed]);
  await eventually(async () => (await notifier.reader.mail(job.mails[0]?.mailId ?? ""))?.type === "PROCESSED");
  await writeAccount(notifier, { ...account, notification: { url: endpoint.url } });
  // The notifier knows of it by then.
  await notifier.command({ command: "test-endpoint", account: account._id, url: endpoint.url });
  await notifier.publish([delivered]);
  await eventually(() => tagsOf(job.head.jobId).size > 0);
  expect(await notifier.reader.awaitsNotification(account._id)).toBe(true);
});

it("erases a recipient from record and dead notifications, those too that are dead only later", async () => {
  const { job, account } = await dieOnce();
  const [mail] = job.mails;
  const [waiting] = await deadOf(account);
  const reply = await notifier.command({ command: "erase", email: mail?.recipient.toUpperCase() ?? "" });
  expect(reply).toEqual({ status: "done", result: { mails: 1, notifications: 1 } });
  expect(JSON.stringify(await deadOf(account))).not.toContain(mail?.recipient);
  await keeperOf(async () => undefined).keep(batchMessageSchema.parse(waiting?.batch), { url: "", reason: "later" });
  expect(JSON.stringify(await deadOf(account))).not.toContain(mail?.recipient);
  expect(JSON.stringify(await notifier.reader.mail(mail?.mailId ?? ""))).not.toContain(mail?.recipient);
  expect(await notifier.dead(account)).toHaveLength(1);
});

it("forgets an account's endpoint state and dead notifications, and keeps its mails", async () => {
  const { job, account } = await dieOnce();
  expect(await notifier.command({ command: "forget-account", account })).toEqual({ status: "done", result: {} });
  expect(await notifier.dead(account)).toEqual([]);
  expect(await notifier.reader.job(job.head.jobId)).toBeDefined();
});
