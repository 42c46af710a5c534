// What a relay answers, and what becomes of the mail: in the record, with code, enhanced status and reply.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually } from "#test/support/eventually.ts";
import { startHostileServer } from "#test/support/hostile-mail-server.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";

/** Of no service in this test: delivery is told that it is Waypost's own. */
const OUR_PORT = 2_599;

let system: DeliverySystem;
let relay: MailServer;
let account: TestAccount;

beforeAll(async () => {
  system = await startDeliverySystem({ serviceEnv: { delivery: { WAYPOST_SMTP_PORT: String(OUR_PORT) } } });
  relay = await startMailServer();
  account = await system.account();
  await system.relay(account, relay);
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

async function endOf(recipient: string) {
  const [mailId = ""] = await system.hand(account, { recipients: [recipient] });
  return system.ended(mailId);
}

it("delivers through the relay, and tells its queue id", async () => {
  const mail = await endOf("one@recipient.example");
  const last = mail.trackingPoints.at(-1);
  expect(last?.meta.event).toMatchObject({ type: "DELIVERED", subType: "OK", description: "mail delivered" });
  const [received] = relay.accepted;
  expect(last?.content?.smtp).toMatchObject({
    responseCode: "250",
    reason: `sent (250 2.0.0 Ok: queued as ${received?.queueId})`,
    relay: relay.host,
    dsn: "2.0.0",
  });
  expect(mail.attempts).toMatchObject([{ attempt: 1, remoteQueueId: received?.queueId }]);
  expect(received).toMatchObject({ from: account.sender, to: ["one@recipient.example"] });
  expect(received?.text).toBe("Subject: A test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello\r\n");
});

it.each([
  ["mail", { mail: () => ({ code: 550, text: "5.1.8 no such sender" }) }, "5.1.8"],
  ["rcpt", { rcpt: () => ({ code: 550, text: "5.1.1 no such user" }) }, "5.1.1"],
  ["dot", { dot: () => ({ code: 554, text: "5.6.0 no such content" }) }, "5.6.0"],
])("bounces hard at once after a 5xx in reply to %s", async (step, script, dsn) => {
  relay.script = script;
  const mail = await endOf(`${step}@recipient.example`);
  relay.script = {};
  const last = mail.trackingPoints.at(-1);
  expect(last?.meta.event).toMatchObject({ type: "BOUNCED", subType: "HARD_BOUNCE" });
  expect(last?.content?.smtp).toMatchObject({ dsn, relay: relay.host });
  expect(last?.content?.smtp?.reason).toContain(`host ${relay.host}[${relay.address}] said: `);
  expect(mail.attempts).toHaveLength(1);
});

it.each(["mail", "rcpt", "dot"] as const)("defers after a 4xx in reply to %s, and delivers later", async (step) => {
  let refusals = 0;
  relay.script = { [step]: () => ((refusals += 1) <= 2 ? { code: 451, text: "4.3.0 later" } : undefined) };
  const mail = await endOf(`later-${step}@recipient.example`);
  relay.script = {};
  const types = mail.trackingPoints.map((point) => point.meta.event.type);
  expect(types).toEqual(["STARTED", "PROCESSED", "DEFERRED", "DEFERRED", "DELIVERED"]);
  expect(mail.attempts).toHaveLength(3);
});

it("uses connections again, and goes on after a refusal on the same one", async () => {
  const before = relay.connections;
  relay.script = { rcpt: (address) => (address.startsWith("bad") ? { code: 550, text: "5.1.1 no" } : undefined) };
  const names = ["good1", "bad1", "good2", "bad2", "good3"];
  for (const name of names) await endOf(`${name}@recipient.example`);
  relay.script = {};
  expect(relay.connections - before).toBeLessThanOrEqual(1);
});

it("says addresses as they are, with whatever stands in a quoted local part", async () => {
  const plain = await startHostileServer();
  const quoting = await system.account();
  await system.relay(quoting, plain);
  const [sender, recipient] = [`"a <b>"@${quoting.domain}`, '"c>d<e"@recipient.example'];
  const [mailId = ""] = await system.hand(quoting, { sender, recipients: [recipient] });
  expect((await system.ended(mailId)).trackingPoints.at(-1)?.meta.event.type).toBe("DELIVERED");
  expect(plain.commands).toContain(`RCPT TO:<${recipient}>`);
  expect(plain.commands.find((command) => command.startsWith("MAIL"))).toContain(`MAIL FROM:<${sender}>`);
  await plain.close();
});

describe("a relay that leads back to us has its mails deferred and its lane suspended, with the reason", () => {
  async function suspended(relay: { host: string; port: number }) {
    const looping = await system.account();
    await system.relay(looping, relay);
    const recipients = Array.from({ length: 20 }, (_, index) => `r${index}@recipient.example`);
    const [mailId = ""] = await system.hand(looping, { recipients });
    const mail = await system.seen(mailId, ({ attempts }) => attempts.length > 0);
    expect(mail.trackingPoints.at(-1)?.meta.event).toMatchObject({ type: "DEFERRED", subType: "SOFT_BOUNCE" });
    expect(mail.trackingPoints.at(-1)?.content?.smtp?.dsn).toBe("4.4.6");
    return eventually(async () => {
      const path = `/v1/accounts/${looping.name}/domains/${looping.domain}/relay`;
      const { lane } = (await system.control.get<{ lane: { state: string; reason?: string } }>(path)).body;
      return lane.state === "suspended" ? lane.reason : undefined;
    });
  }

  it("by its address and port, which are our own listener's", async () => {
    expect(await suspended({ host: "127-0-0-1.ourselves.test", port: OUR_PORT })).toContain("is this service itself");
  });

  it("by its greeting, which has our own name", async () => {
    const twin = await startMailServer({ options: { name: "waypost.test" } });
    expect(await suspended(twin)).toContain("greets with our own name");
    expect(twin.mails).toHaveLength(0);
    await twin.close();
  });
});
