// What an operator sees and does of push notifications, by the administration API: endpoint state, dead notifications, the record.
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { EndpointScript } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

interface DeadItem {
  id: string;
  jobId: string;
  account: string;
  url: string;
  reason: string;
}

let system: System;
let relay: MailServer;

beforeAll(async () => {
  system = await startSystem({
    env: { WAYPOST_NOTIFY_SCHEDULE: "1s", WAYPOST_NOTIFY_DEADLINE: "3s", WAYPOST_NOTIFY_LINGER: "2s" },
  });
  relay = await startMailServer();
});

afterAll(async () => {
  await relay.close();
  await system.stop();
});

async function sendWith(script: EndpointScript) {
  const endpoint = await startEndpoint(script);
  const account = await system.account({ notification: { url: endpoint.url } });
  await system.relay(account, relay);
  const jobId = await system.accept(account, jobOf(account, [`${uniqueLabel("to")}@example.net`]));
  return { endpoint, account, jobId, path: `/v1/accounts/${account.name}/endpoint` };
}

it("shows an endpoint that answers 410 as switched off, since when and after which answer, and switches it on again", async () => {
  let isGone = true;
  const { endpoint, path } = await sendWith(() => ({ status: isGone ? 410 : 200 }));
  const before = await eventually(async () => {
    const { body } = await system.control.get<{ state: string }>(path);
    return body.state === "off" ? body : undefined;
  });
  expect(before).toMatchObject({
    state: "off",
    since: expect.stringMatching(/^\d{4}-/) as string,
    lastAnswer: { status: 410, at: expect.any(String) as string },
  });
  isGone = false;
  expect((await system.control.post(`${path}/enable`)).status).toBe(200);
  await eventually(async () => (await system.control.get<{ state: string }>(path)).body.state === "open");
  await eventually(() => endpoint.acknowledged.length >= 3);
  await endpoint.close();
});

it("switches an endpoint on at once while others are tried that do not answer", async () => {
  const hanging = await startEndpoint(() => ({ hang: true }));
  const account = await system.account({ notification: { url: hanging.url } });
  const tries = Array.from({ length: 20 }, () => system.control.post("/v1/notifications/test", { url: hanging.url }));
  await eventually(() => hanging.requests.length >= 4);
  expect((await system.control.post(`/v1/accounts/${account.name}/endpoint/enable`)).status).toBe(200);
  await hanging.close();
  await Promise.all(tries);
});

it("lists dead notifications with their reason, and replays them with the same tags", async () => {
  let status = 500;
  const { endpoint, account, jobId } = await sendWith(() => ({ status }));
  const list = async () =>
    (await system.control.get<{ items: DeadItem[] }>(`/v1/notifications/dead?account=${account.name}`)).body.items;
  const told = (): Set<string> => new Set(endpoint.notifications.map(({ meta }) => meta.tag));
  await eventually(async () => told().size === 3 && (await list()).length > 0);
  expect((await list())[0]).toMatchObject({
    jobId,
    account: account.name,
    url: endpoint.url,
    // A batch that comes to its end while the others' failures have slowed the endpoint says that too.
    reason: expect.stringMatching(/^(the endpoint is slowed: )?500: not a success$/) as string,
  });
  const tags = told();
  status = 200;
  await eventually(async () => {
    await system.control.post("/v1/notifications/dead/replay", { account: account.name });
    return new Set(endpoint.acknowledged.map(({ meta }) => meta.tag)).size === 3;
  });
  expect(told()).toEqual(tags);
  await endpoint.close();
});

it("shows each POST in the mail's record", async () => {
  const { endpoint, jobId } = await sendWith((_, count) => ({ status: count === 1 ? 503 : 200 }));
  const [mail] = await system.mailsOf(jobId);
  const notifications = await eventually(async () => {
    const { body } = await system.control.get<{ notifications: { at: string; url: string; status: number }[] }>(
      `/v1/mails/${mail?.mailId}`,
    );
    return body.notifications.some(({ status }) => status === 200) ? body.notifications : undefined;
  });
  expect(notifications[0]).toMatchObject({ at: expect.stringMatching(/Z$/) as string, url: endpoint.url, status: 503 });
  await endpoint.close();
});
