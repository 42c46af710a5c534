// What control asks of other services for an operator: suppressions, the push endpoint, dead notifications, erasure.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

let system: System;
let endpoint: Endpoint;
let status = 200;

beforeAll(async () => {
  endpoint = await startEndpoint(() => ({ status }));
  system = await startSystem({
    services: ["ingest", "router", "notifier", "control"],
    env: { WAYPOST_NOTIFY_SCHEDULE: "1s", WAYPOST_NOTIFY_DEADLINE: "2s" },
  });
});
afterAll(async () => {
  await system.stop();
  await endpoint.close();
});

interface Listed {
  items: { email?: string; id?: string; reason?: string }[];
}

it("lists a recipient by hand, drops mails to it, and takes it off again", async () => {
  const account = await system.account();
  const list = `/v1/accounts/${account.name}/suppressions`;
  const listed = await system.control.put(`${list}/${encodeURIComponent("Box@Rcpt.example")}`, {
    reason: "asked for it",
  });
  expect(listed).toMatchObject({
    status: 200,
    body: { email: "box@rcpt.example", kind: "manual", reason: "asked for it" },
  });
  expect((await system.control.get<Listed>(list)).body.items.map(({ email }) => email)).toEqual(["box@rcpt.example"]);
  const query = new URLSearchParams({ account: account.name, from: account.sender, to: "box@rcpt.example" }).toString();
  expect((await system.control.get(`/v1/explain?${query}`)).body).toMatchObject({ dropped: { subType: "SUPPRESSED" } });
  const [mail] = await system.mailsOf(await system.accept(account, jobOf(account, ["box@rcpt.example"])));
  expect((await system.ended(mail?.mailId ?? "")).trackingPoints.at(-1)?.meta.event.subType).toBe("SUPPRESSED");
  expect((await system.control.delete(`${list}/box@rcpt.example`)).status).toBe(200);
  expect((await system.control.delete(`${list}/box@rcpt.example`)).status).toBe(404);
  expect((await system.control.put(`${list}/nobody`, {})).status).toBe(422);
  const audit = await system.control.get<{ items: { action: string }[] }>(`/v1/audit?account=${account.name}`);
  expect(audit.body.items.slice(0, 2).map(({ action }) => action)).toEqual(["remove", "create"]);
});

it("lists a recipient since the first PUT, whatever the next ones change, until its term was over", async () => {
  const account = await system.account();
  const path = `/v1/accounts/${account.name}/suppressions/box@rcpt.example`;
  const list = async (said: object) => (await system.control.put<{ listedAt: string; until: string }>(path, said)).body;
  const first = await list({ reason: "asked for it" });
  expect(await list({ reason: "asked for it" })).toEqual(first);
  const until = new Date(Date.now() + 60_000).toISOString();
  const changed = { until, reason: "$for a while" };
  expect(await list(changed)).toEqual({ ...first, ...changed });
  const over = await list({ until: new Date(Date.now() - 1).toISOString() });
  expect(over.listedAt).toBe(first.listedAt);
  expect(await list({ until: over.until })).toEqual(over);
  expect(Date.parse((await list({})).listedAt)).toBeGreaterThan(Date.parse(first.listedAt));
});

it("shows the state of an endpoint and switches it on again after a 410", async () => {
  const account = await system.account({ notification: { url: endpoint.url } });
  const path = `/v1/accounts/${account.name}/endpoint`;
  expect((await system.control.get(path)).body).toEqual({ url: endpoint.url, state: "open" });
  status = 410;
  await system.accept(account, jobOf(account, ["no address at all"]));
  const off = await eventually(async () => {
    const { body } = await system.control.get<{ state: string; since: string; lastAnswer: object }>(path);
    return body.state === "off" && body;
  });
  expect(off).toMatchObject({ lastAnswer: { status: 410 }, since: expect.stringMatching(/Z$/) as string });
  status = 200;
  expect((await system.control.post(`${path}/enable`)).body).toMatchObject({ state: "open" });
});

it("lists dead notifications and replays them by account", async () => {
  const account = await system.account({ notification: { url: endpoint.url } });
  status = 500;
  const jobId = await system.accept(account, jobOf(account, ["no address at all"]));
  const dead = await eventually(async () => {
    const { body } = await system.control.get<Listed>(`/v1/notifications/dead?account=${account.name}`);
    return body.items.length > 0 && body.items;
  });
  expect(dead).toMatchObject([
    { jobId, account: account.name, url: endpoint.url, reason: expect.any(String) as string },
  ]);
  status = 200;
  expect((await system.control.post("/v1/notifications/dead/replay", {})).status).toBe(422);
  const replay = await system.control.post("/v1/notifications/dead/replay", { account: account.name });
  expect(replay).toMatchObject({ status: 200, body: { replayed: 1 } });
  await eventually(() => endpoint.acknowledged.some(({ job }) => job.jobId === jobId));
  expect((await system.control.get<Listed>(`/v1/notifications/dead?account=${account.name}`)).body.items).toEqual([]);
});

it("posts a sample of each tracking point to an endpoint, and tells which it does not take", async () => {
  const account = await system.account({ notification: { url: endpoint.url } });
  status = 200;
  const tried = await system.control.post("/v1/notifications/test", { account: account.name, url: endpoint.url });
  expect(tried).toMatchObject({ status: 200, body: { items: Array(12).fill({ ok: true, status: 200 }) } });
  const picky = await startEndpoint(({ raw }) => ({ status: raw.includes("HARD_BOUNCE") ? 500 : 200 }));
  const some = await system.control.post<{ items: { ok: boolean; subType: string }[] }>("/v1/notifications/test", {
    account: account.name,
    url: picky.url,
  });
  await picky.close();
  expect(some.body.items.filter(({ ok }) => !ok)).toMatchObject([{ subType: "HARD_BOUNCE", status: 500 }]);
  const url = "http://10.0.0.1/";
  const refused = await system.control.post("/v1/notifications/test", { account: account.name, url });
  expect(refused).toMatchObject({ status: 200, body: { items: [{ ok: false }] } });
});

it("erases a recipient and leaves the counts", async () => {
  const account = await system.account();
  const email = `box@${account.name}.rcpt.example`;
  await system.control.put(`/v1/accounts/${account.name}/suppressions/${email}`, {});
  const recipients = [{ mail: { to: [{ email }] }, reference: `for ${email}` }];
  const jobId = await system.accept(account, { ...jobOf(account, [email]), recipients });
  const [mail] = await system.mailsOf(jobId);
  await system.ended(mail?.mailId ?? "");
  const erased = await system.control.post("/v1/erasures", { email });
  expect(erased).toMatchObject({ status: 200, body: { mails: 1, suppressions: 1 } });
  const { body } = await system.control.get(`/v1/jobs/${jobId}`);
  expect(body).toMatchObject({ mailCount: 1, mails: [{ mailId: mail?.mailId }] });
  expect(JSON.stringify(body)).not.toContain(email);
  expect(JSON.stringify((await system.control.get(`/v1/audit`)).body)).not.toContain(`erase ${email}`);
});

it.each(["Box@MÜLLER.example", "box@xn--mller-kva.example", '"box"@müller.example'])(
  "finds and erases mails to an internationalised domain, asked for as %s",
  async (asked) => {
    const account = await system.account({ notification: { url: endpoint.url } });
    await system.control.put(
      `/v1/accounts/${account.name}/suppressions/${encodeURIComponent("box@müller.example")}`,
      {},
    );
    status = 500;
    const jobId = await system.accept(account, jobOf(account, ["Box <box@müller.example>", "abox@müller.example."]));
    const mails = await system.mailsOf(jobId, 2);
    const dead = `/v1/notifications/dead?account=${account.name}`;
    await Promise.all(mails.map(({ mailId }) => system.ended(mailId)));
    await eventually(async () => (await system.control.get<Listed>(dead)).body.items.length > 0);
    status = 200;
    const query = new URLSearchParams({ account: account.name, recipient: asked }).toString();
    const found = await system.control.get<Listed>(`/v1/mails?${query}`);
    expect(found.body.items).toMatchObject([{ email: "Box <box@müller.example>" }]);
    const erased = await system.control.post("/v1/erasures", { email: asked });
    expect(erased).toMatchObject({ status: 200, body: { mails: 1, notifications: 1, suppressions: 1 } });
    const { body } = await system.control.get<{ mails: { email: string }[] }>(`/v1/jobs/${jobId}`);
    expect(new Set(body.mails.map(({ email }) => email))).toEqual(new Set(["erased", "abox@müller.example."]));
  },
);
