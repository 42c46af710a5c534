// A removed account refuses jobs at once and stays until its last mail has ended and is notified; then its name is free.
import { afterAll, beforeAll, expect, it } from "vitest";
import { nameOf } from "#test/support/addresses.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import type { Endpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

let system: System;
let relay: MailServer;
let endpoint: Endpoint;

beforeAll(async () => {
  relay = await startMailServer();
  endpoint = await startEndpoint();
  system = await startSystem();
});
afterAll(async () => {
  await system.stop();
  await relay.close();
  await endpoint.close();
});

it("goes with its domains, relays and idempotency keys when its last mail has ended and is notified, and not before", async () => {
  const account = await system.account({ notification: { url: endpoint.url } });
  const path = `/v1/accounts/${account.name}`;
  await system.relay(account, { host: nameOf(relay.address), port: relay.port });
  relay.script = { dot: () => ({ code: 451, text: "4.3.0 later" }) };
  const key = { "idempotency-key": "order-1" };
  const jobId = await system.accept(account, jobOf(account, ["one@rcpt.example"]), key);
  const [mail] = await system.mailsOf(jobId);
  await eventually(() => relay.mails.length > 0);

  expect((await system.control.delete(path)).body).toMatchObject({ state: "leaving", waiting: 1 });
  const refused = await eventually(async () => {
    const answer = await system.submit(account, jobOf(account, ["two@rcpt.example"]));
    return answer.status !== 202 && answer;
  }, 1_000);
  expect(refused.status).toBe(401);
  expect((await system.control.put(path, { customerNo: "1" })).status).toBe(409);

  relay.script = {};
  const ended = await system.ended(mail?.mailId ?? "");
  expect(ended.trackingPoints.at(-1)?.meta.event.type).toBe("DELIVERED");
  await eventually(async () => (await system.control.get(path)).status === 404, 30_000);
  const told = endpoint.notifications.filter(({ meta }) => meta.mail.id === mail?.mailId);
  expect(told.some(({ meta }) => meta.event.state === "FINISHED")).toBe(true);
  expect((await system.control.get(`${path}/domains/${account.domain}`)).status).toBe(404);

  expect((await system.control.put(path, { customerNo: "2", password: account.password })).status).toBe(200);
  const domains = await system.control.get<{ items: unknown[] }>(`${path}/domains`);
  expect(domains.body.items).toEqual([]);

  expect((await system.control.put(`${path}/domains/${account.domain}`, {})).status).toBe(200);
  await system.relay(account, { host: nameOf(relay.address), port: relay.port });
  expect(await system.accept(account, jobOf(account, ["one@rcpt.example"]), key)).not.toBe(jobId);
});

it("goes when its last mail has ended, though its endpoint was taken away while that was on its way", async () => {
  const account = await system.account({ notification: { url: endpoint.url } });
  const path = `/v1/accounts/${account.name}`;
  await system.relay(account, { host: nameOf(relay.address), port: relay.port });
  relay.script = { dot: () => ({ code: 451, text: "4.3.0 later" }) };
  const jobId = await system.accept(account, jobOf(account, ["three@rcpt.example"]));
  const [mail] = await system.mailsOf(jobId);
  const mailId = mail?.mailId ?? "";
  await eventually(() => endpoint.of(mailId).length > 1);
  expect((await system.control.put(path, { customerNo: "1" })).status).toBe(200);
  // Done by what was configured before it: the notifier knows from here on.
  await system.control.post("/v1/notifications/test", { account: account.name, url: endpoint.url });
  relay.script = {};
  await system.ended(mailId);
  await system.control.delete(path);
  await eventually(async () => (await system.control.get(path)).status === 404, 30_000);
});
