// What an operator changes while mails wait counts at the start of the next attempt; nothing is lost, doubled or sent another way.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually, never } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: DeliverySystem;
const servers: MailServer[] = [];

beforeAll(async () => {
  system = await startDeliverySystem({ env: { WAYPOST_RETRY_SCHEDULE: "2s" } });
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await system.stop();
});

async function server(options = {}): Promise<MailServer> {
  const started = await startMailServer(options);
  servers.push(started);
  return started;
}

const pathOf = (account: TestAccount): string => `/v1/accounts/${account.name}/domains/${account.domain}/relay`;

const recipientsAt = (domain: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `r${index}@${domain}`);

async function stateOf(account: TestAccount): Promise<string> {
  const { body } = await system.control.get<{ lane: { state: string } }>(pathOf(account));
  return body.lane.state;
}

async function depthOf(account: TestAccount): Promise<number> {
  const { body } = await system.control.get<{ lane: { depth: number } }>(pathOf(account));
  return body.lane.depth;
}

it("holds mails while the relay is suspended by an operator, and sends them once it is resumed", async () => {
  const relay = await server();
  const account = await system.account();
  await system.relay(account, relay);
  await system.control.post(`${pathOf(account)}/suspend`);
  await eventually(async () => (await stateOf(account)) === "held");
  const ids = await system.hand(account, { recipients: recipientsAt("recipient.example", 20) });
  await never(() => relay.connections > 0, 1_500);
  await system.control.post(`${pathOf(account)}/resume`);
  await Promise.all(ids.map((id) => system.ended(id)));
  expect(relay.accepted).toHaveLength(20);
});

it("starts no attempt after a hold, of mails that it had taken before it either, and counts none for them", async () => {
  const relay = await server({ script: { dot: () => sleep(2_000) } });
  const account = await system.account();
  await system.relay(account, relay, { maxConnections: 1 });
  const ids = await system.hand(account, { recipients: recipientsAt("recipient.example", 4) });
  await eventually(() => relay.mails.length === 1);
  await system.control.post(`${pathOf(account)}/suspend`);
  await eventually(async () => (await depthOf(account)) === 3, 2_000);
  await never(() => relay.mails.length > 1, 4_000);
  relay.script = {};
  await system.control.post(`${pathOf(account)}/resume`);
  const ended = await Promise.all(ids.map((id) => system.ended(id)));
  expect(ended.map((mail) => mail.attempts.map(({ attempt }) => attempt))).toEqual(ids.map(() => [1]));
  expect(relay.accepted).toHaveLength(4);
});

it("takes what waits in a suspended lane to the relay that is configured now", async () => {
  const [dead, alive] = [await server(), await server()];
  const account = await system.account();
  await system.relay(account, dead);
  await dead.close();
  const ids = await system.hand(account, { recipients: recipientsAt("recipient.example", 60) });
  await eventually(async () => (await stateOf(account)) === "suspended");
  await system.relay(account, alive);
  await Promise.all(ids.map((id) => system.ended(id, 30_000)));
  expect(new Set(alive.recipients).size).toBe(60);
  expect(alive.accepted).toHaveLength(60);
});

it.each(["reroute", "bounce"])("empties the lane of a removed relay: %s", async (waiting) => {
  const [dead, mx] = [await server(), await server({ port: system.mxPort })];
  const domain = `${uniqueLabel("rcpt")}.example`;
  system.dns.set(domain, { mx: [{ preference: 10, exchange: mx.host }] });
  const account = await system.account();
  await system.relay(account, dead);
  await dead.close();
  const ids = await system.hand(account, { recipients: recipientsAt(domain, 60) });
  await eventually(async () => (await stateOf(account)) === "suspended");
  // The record must know of them all before their number can be told.
  await Promise.all(ids.map((id) => system.seen(id, () => true)));
  expect((await system.control.delete(pathOf(account))).status).toBe(409);
  expect((await system.control.delete(`${pathOf(account)}?waiting=${waiting}`)).status).toBe(200);
  const ended = await Promise.all(ids.map((id) => system.ended(id, 30_000)));
  const types = new Set(ended.map((mail) => mail.trackingPoints.at(-1)?.meta.event.type));
  expect([...types]).toEqual([waiting === "bounce" ? "BOUNCED" : "DELIVERED"]);
  expect(mx.accepted).toHaveLength(waiting === "bounce" ? 0 : 60);
});

it("never takes the MX for a relayed mail, whatever is wrong with the relay", async () => {
  const mx = await server({ port: system.mxPort });
  const domain = `${uniqueLabel("rcpt")}.example`;
  system.dns.set(domain, { mx: [{ preference: 10, exchange: mx.host }] });
  const account = await system.account();
  await system.relay(account, { host: "nowhere.relay.invalid", port: 25 });
  const [mailId = ""] = await system.hand(account, { recipients: [`to@${domain}`] });
  const mail = await system.seen(mailId, (seen) => seen.attempts.length > 0);
  expect(mail.trackingPoints.at(-1)?.content?.smtp?.dsn).toBe("4.4.4");
  expect(mx.connections).toBe(0);
  expect(await system.metrics("delivery")).toMatch(/waypost_fail_closed(_total)?(\{[^}]*\})? 0/);
});
