// The default route: the mail exchangers of the recipient's domain, by DNS.
import { afterAll, beforeAll, expect, it } from "vitest";
import { laneOf } from "#shared/routing/lane.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: DeliverySystem;
let account: TestAccount;
const servers: MailServer[] = [];

beforeAll(async () => {
  system = await startDeliverySystem({
    env: {
      WAYPOST_RETRY_SCHEDULE: "20s",
      WAYPOST_SMTP_TIMEOUTS: "connect=2s,greeting=2s,command=60s,data=3s,dot=3s,total=90s",
    },
  });
  account = await system.account();
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await system.stop();
});

async function exchanger(): Promise<MailServer> {
  const server = await startMailServer({ port: system.mxPort });
  servers.push(server);
  return server;
}

const newDomain = (): string => `${uniqueLabel("mx")}.example`;
const shardOf = (domain: string): string => laneOf({ kind: "mx", domain, because: [] }).name;

/** Another domain whose mails wait in the same mailbox. */
function newDomainBeside(domain: string): string {
  for (;;) {
    const candidate = newDomain();
    if (shardOf(candidate) === shardOf(domain)) return candidate;
  }
}

async function attemptTo(domain: string, from = account) {
  const [mailId = ""] = await system.hand(from, { recipients: [`to@${domain}`] });
  const mail = await system.seen(mailId, (seen) =>
    seen.trackingPoints.some((point) => point.meta.event.phase === "DELIVER"),
  );
  const last = mail.trackingPoints.at(-1);
  return { type: last?.meta.event.type, smtp: last?.content?.smtp, mail };
}

it("goes to the exchanger of the best preference, and names no relay", async () => {
  const [first, second] = [await exchanger(), await exchanger()];
  const domain = newDomain();
  system.dns.set(domain, {
    mx: [
      { preference: 20, exchange: second.host },
      { preference: 10, exchange: first.host },
    ],
  });
  const { type, smtp } = await attemptTo(domain);
  expect(type).toBe("DELIVERED");
  expect(smtp?.relay).toBeUndefined();
  expect([first.mails.length, second.mails.length]).toEqual([1, 0]);
});

it("goes on to the next exchanger when one cannot be reached or does not greet well", async () => {
  const [good, bad] = [await exchanger(), await exchanger()];
  bad.script = { connect: () => ({ code: 554, text: "no" }) };
  const domain = newDomain();
  system.dns.set(domain, {
    mx: [
      { preference: 1, exchange: "127-250-250-250.relay.test" },
      { preference: 5, exchange: bad.host },
      { preference: 10, exchange: good.host },
    ],
  });
  expect((await attemptTo(domain)).type).toBe("DELIVERED");
  expect(good.mails).toHaveLength(1);
});

it("goes to the domain's own address where it has no MX", async () => {
  const server = await exchanger();
  const domain = newDomain();
  system.dns.set(domain, { a: [server.address] });
  expect((await attemptTo(domain)).type).toBe("DELIVERED");
});

it.each<[string, Parameters<DeliverySystem["dns"]["set"]>[1], string, string]>([
  ["a null MX", { mx: [{ preference: 0, exchange: "." }] }, "BOUNCED", "5.1.10"],
  ["a domain that does not exist", { rcode: "NXDOMAIN" }, "BOUNCED", "5.1.2"],
  ["a DNS failure", { rcode: "SERVFAIL" }, "DEFERRED", "4.4.3"],
])("%s: %s", async (_name, records, type, dsn) => {
  const domain = newDomain();
  system.dns.set(domain, records);
  const seen = await attemptTo(domain);
  expect(seen.type).toBe(type);
  expect(seen.smtp?.dsn).toBe(dsn);
  expect(seen.smtp?.responseCode).toBeUndefined();
});

it("does not feed itself: an exchanger that greets with our own name", async () => {
  const server = await startMailServer({ port: system.mxPort, options: { name: "waypost.test" } });
  servers.push(server);
  const domain = newDomain();
  system.dns.set(domain, { mx: [{ preference: 10, exchange: server.host }] });
  const { type, smtp } = await attemptTo(domain);
  expect([type, smtp?.dsn]).toEqual(["BOUNCED", "5.4.6"]);
  expect(server.mails).toHaveLength(0);
});

it("sets a failing domain aside without holding up others of its shard", async () => {
  const server = await exchanger();
  const good = newDomain();
  system.dns.set(good, { mx: [{ preference: 10, exchange: server.host }] });
  const bad = newDomainBeside(good);
  system.dns.set(bad, { mx: [{ preference: 10, exchange: "127-250-250-251.relay.test" }] });
  const recipients = Array.from({ length: 150 }, (_, index) => `r${index}@${bad}`);
  await system.hand(account, { recipients });
  expect((await attemptTo(good)).type).toBe("DELIVERED");
});

it("leaves from the dedicated IP of the account, and from no other address", async () => {
  const server = await exchanger();
  const domain = newDomain();
  system.dns.set(domain, { mx: [{ preference: 10, exchange: server.host }] });
  const dedicated = await system.account({ dedicatedIp: "127.77.0.9" });
  expect((await attemptTo(domain, dedicated)).type).toBe("DELIVERED");
  expect(server.mails[0]?.remoteAddress).toBe("127.77.0.9");
});

it("has at most ten connections to a destination domain, and goes on with the others of the shard", async () => {
  const [server, other] = [await exchanger(), await exchanger()];
  const held = Promise.withResolvers<undefined>();
  const busy = newDomain();
  const good = newDomainBeside(busy);
  system.dns.set(busy, { mx: [{ preference: 10, exchange: server.host }] });
  system.dns.set(good, { mx: [{ preference: 10, exchange: other.host }] });
  expect((await attemptTo(busy)).type).toBe("DELIVERED");
  server.script = { dot: () => held.promise };
  await system.hand(account, { recipients: Array.from({ length: 40 }, (_, index) => `r${index}@${busy}`) });
  await eventually(() => server.openConnections >= 10);
  expect((await attemptTo(good)).type).toBe("DELIVERED");
  held.resolve(undefined);
  await eventually(() => server.accepted.length === 41, 40_000);
  expect(server.mostConnections).toBeLessThanOrEqual(10);
});

it("delivers at once beside a hundred domains of the shard whose servers do not answer for minutes", async () => {
  const [server, other] = [await exchanger(), await exchanger()];
  const held = Promise.withResolvers<{ code: number; text: string }>();
  server.script = { mail: () => held.promise };
  const good = newDomain();
  system.dns.set(good, { mx: [{ preference: 10, exchange: other.host }] });
  const slow = Array.from({ length: 100 }, () => newDomainBeside(good));
  for (const domain of slow) system.dns.set(domain, { mx: [{ preference: 10, exchange: server.host }] });
  const recipients = Array.from({ length: 3 * slow.length }, (_, index) => `r${index}@${slow[index % slow.length]}`);
  await system.hand(account, { recipients });
  await eventually(() => server.openConnections >= 2 * slow.length, 30_000);
  const handedMs = Date.now();
  expect((await attemptTo(good)).type).toBe("DELIVERED");
  expect((other.accepted[0]?.at ?? 0) - handedMs).toBeLessThan(5_000);
  expect(server.mostConnections).toBe(2 * slow.length);
  held.resolve({ code: 550, text: "5.7.1 no" });
}, 90_000);
