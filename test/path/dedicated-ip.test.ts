// The account's dedicated IP: every connection leaves from it; without it on this machine nothing does, and there is an alarm.
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually, never } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";

let system: DeliverySystem;
let relay: MailServer;

beforeAll(async () => {
  system = await startDeliverySystem();
  relay = await startMailServer();
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

it("is where all connections to the account's relay come from", async () => {
  const account = await system.account({ dedicatedIp: "127.88.0.7" });
  await system.relay(account, relay);
  const recipients = Array.from({ length: 30 }, (_, index) => `r${index}@recipient.example`);
  const ids = await system.hand(account, { recipients });
  await Promise.all(ids.map((id) => system.ended(id)));
  expect(new Set(relay.accepted.map((mail) => mail.remoteAddress))).toEqual(new Set(["127.88.0.7"]));
});

it("that no replica has: the lane is left alone, with an alarm, and drains once the account has another", async () => {
  const account = await system.account({ dedicatedIp: "192.0.2.77" });
  await system.relay(account, relay);
  const before = relay.connections;
  const [mailId = ""] = await system.hand(account, { recipients: ["to@recipient.example"] });
  await eventually(() => system.logs("delivery").some((line) => line["event"] === "lane.no_source_address"));
  const path = `/v1/accounts/${account.name}`;
  await eventually(async () => {
    const { body } = await system.control.get<{ lane: { state: string; reason?: string } }>(
      `${path}/domains/${account.domain}/relay`,
    );
    return body.lane.state === "suspended" && body.lane.reason?.includes("192.0.2.77") === true;
  });
  await never(() => relay.connections > before, 1_000);
  const body = { customerNo: "4711", dedicatedIp: "127.88.0.8" };
  expect((await system.control.put(path, body)).status).toBe(200);
  const mail = await system.ended(mailId);
  expect(mail.trackingPoints.at(-1)?.meta.event.type).toBe("DELIVERED");
  expect(relay.accepted.at(-1)?.remoteAddress).toBe("127.88.0.8");
});

it("that no replica has: mails of the default route go on once no account has it any more", async () => {
  const exchanger = await startMailServer({ port: system.mxPort });
  const domain = `${uniqueLabel("mx")}.example`;
  system.dns.set(domain, { mx: [{ preference: 10, exchange: exchanger.host }] });
  const account = await system.account({ dedicatedIp: "192.0.2.78" });
  const [mailId = ""] = await system.hand(account, { recipients: [`to@${domain}`] });
  const alarm = { event: "lane.no_source_address", lane: "delivery.mx.ip.192.0.2.78" };
  await eventually(() =>
    system.logs("delivery").some(({ event, lane }) => event === alarm.event && lane === alarm.lane),
  );
  await system.control.put(`/v1/accounts/${account.name}`, { customerNo: "4711" });
  const mail = await system.ended(mailId);
  expect(mail.trackingPoints.at(-1)?.meta.event.type).toBe("DELIVERED");
  expect(exchanger.accepted).toHaveLength(1);
  await exchanger.close();
});

it("of IPv6 takes the relay by its AAAA alone, and never another address of ours", async () => {
  const v6 = await startMailServer({ address: "::1", port: relay.port, options: { name: "v6.relay.test" } });
  const name = `${uniqueLabel("both")}.relay.test`;
  system.dns.set(name, { a: [relay.address], aaaa: ["::1"] });
  const account = await system.account({ dedicatedIp: "::1" });
  await system.relay(account, { host: name, port: relay.port });
  const before = relay.connections;
  const ids = await system.hand(account, { recipients: ["a@recipient.example", "b@recipient.example"] });
  const ended = await Promise.all(ids.map((id) => system.ended(id)));
  expect(ended.map((mail) => mail.trackingPoints.at(-1)?.meta.event.type)).toEqual(["DELIVERED", "DELIVERED"]);
  expect(v6.accepted.map((mail) => mail.remoteAddress)).toEqual(["::1", "::1"]);

  // A relay without IPv6 is not spoken to from an IPv4 address instead.
  await system.relay(account, relay);
  const [mailId = ""] = await system.hand(account, { recipients: ["c@recipient.example"] });
  const deferred = await system.seen(mailId, (mail) => mail.attempts.length > 0);
  expect(deferred.trackingPoints.at(-1)).toMatchObject({
    meta: { event: { type: "DEFERRED" } },
    content: { smtp: { dsn: "4.4.1", reason: expect.stringContaining("no address of the family of ::1") } },
  });
  expect(relay.connections).toBe(before);
  await v6.close();
});
