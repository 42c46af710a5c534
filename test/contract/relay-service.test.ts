// The contract's *The Relay Service*, a test for each sentence; the numbers are the contract's.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nameOf, uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailScript, MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { submitBySmtp } from "#test/support/smtp-submission.ts";
import { issueCertificate } from "#test/support/signing-certificate.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { MailRecord, TestAccount } from "#test/support/system-client.ts";

const DEADLINE_MS = 6_000;
const SHORTEST_TIER_MS = 1_000;

let system: System;
let relay: MailServer;
let mx: MailServer;
let recipientDomain: string;

beforeAll(async () => {
  system = await startSystem({ env: { WAYPOST_RETRY_DEADLINE: "6s" } });
  relay = await startMailServer();
  mx = await startMailServer({ port: system.mxPort });
  recipientDomain = `${uniqueLabel("rcpt")}.example`;
  system.dns.set(recipientDomain, { mx: [{ preference: 10, exchange: mx.host }] });
});
afterAll(async () => {
  await Promise.all([relay.close(), mx.close()]);
  await system.stop();
});

const newRecipient = (): string => `${uniqueLabel("to")}@${recipientDomain}`;

/** Sends one mail and waits for its end. */
async function whenSent(account: TestAccount, parts: { sender?: string; recipient?: string } = {}) {
  const recipient = parts.recipient ?? newRecipient();
  const from = { email: parts.sender ?? account.sender };
  const jobId = await system.accept(account, jobOf(account, [recipient], { mail: { from } }));
  const [mail] = await system.mailsOf(jobId);
  return { recipient, mail: await system.ended(mail?.mailId ?? "") };
}

async function relayedAccount(settings: object = {}, target = relay): Promise<TestAccount> {
  const account = await system.account();
  await system.relay(account, target, settings);
  return account;
}

const wayOf = (recipient: string): string[] => [
  ...(relay.recipients.includes(recipient) ? ["relay"] : []),
  ...(mx.recipients.includes(recipient) ? ["mx"] : []),
];
const endOf = (mail: MailRecord) => mail.trackingPoints.at(-1);
const relayPath = (account: TestAccount): string => `/v1/accounts/${account.name}/domains/${account.domain}/relay`;

describe("1. the default outbound route", () => {
  it("looks up MX of the recipient domain and connects to those servers", async () => {
    const { recipient, mail } = await whenSent(await system.account());
    expect(wayOf(recipient)).toEqual(["mx"]);
    expect(system.dns.questions).toContain(`MX ${recipientDomain}`);
    expect(endOf(mail)?.meta.event).toMatchObject({ type: "DELIVERED" });
  });
});

describe("2. with a relay configured for the sender domain", () => {
  it("connects to the relay instead", async () => {
    const { recipient } = await whenSent(await relayedAccount());
    expect(wayOf(recipient)).toEqual(["relay"]);
  });

  it("makes no MX look-up for the recipient domain", async () => {
    const domain = `${uniqueLabel("never-asked")}.example`;
    await whenSent(await relayedAccount(), { recipient: `to@${domain}` });
    expect(system.dns.questions.filter((question) => question.includes(domain))).toEqual([]);
  });
});

describe("3. a relay belongs to one account and one sender domain", () => {
  it("is not taken by another domain of the account", async () => {
    const account = await relayedAccount();
    const other = `other-${account.domain}`;
    await system.control.put(`/v1/accounts/${account.name}/domains/${other}`, {});
    const { recipient } = await whenSent(account, { sender: `sender@${other}` });
    expect(wayOf(recipient)).toEqual(["mx"]);
  });

  it("is not taken by the same domain of another account", async () => {
    const [first, second] = [await relayedAccount(), await system.account()];
    await system.control.put(`/v1/accounts/${second.name}/domains/${first.domain}`, {});
    const { recipient } = await whenSent(second, { sender: first.sender });
    expect(wayOf(recipient)).toEqual(["mx"]);
  });

  it("is one at most for a sender domain: another takes its place", async () => {
    const account = await relayedAccount({}, mx);
    await system.relay(account, relay);
    const listed = await system.control.get<{ items: { account: string }[] }>("/v1/relays?limit=1000");
    expect(listed.body.items.filter((item) => item.account === account.name)).toHaveLength(1);
    const { recipient } = await whenSent(account);
    expect(wayOf(recipient)).toEqual(["relay"]);
  });
});

describe("4. the relay is a fully qualified domain name", () => {
  it.each(["192.0.2.1", "[::1]", "relay", "relay.example.net:25"])("and not %s", async (host) => {
    const account = await system.account();
    expect((await system.control.put(relayPath(account), { host })).status).toBe(422);
  });
});

describe("5. relay and message signing exclude each other", () => {
  it("signing is refused while a relay is on", async () => {
    const account = await relayedAccount();
    const signing = await issueCertificate({ address: account.sender });
    const path = `/v1/accounts/${account.name}/domains/${account.domain}`;
    expect((await system.control.put(path, { messageSigning: true, signing })).status).toBe(409);
  });

  it("a relay is refused while signing is on", async () => {
    const account = await system.account();
    const signing = await issueCertificate({ address: account.sender });
    const path = `/v1/accounts/${account.name}/domains/${account.domain}`;
    expect((await system.control.put(path, { messageSigning: true, signing })).status).toBe(200);
    expect((await system.control.put(relayPath(account), { host: "relay.example.net" })).status).toBe(409);
  });
});

describe("6. optional sender addresses", () => {
  it("are at most 10", async () => {
    const account = await system.account();
    const senders = Array.from({ length: 11 }, (_, index) => `s${index}@${account.domain}`);
    const body = { host: relay.host, port: relay.port };
    expect((await system.control.put(relayPath(account), { ...body, senders })).status).toBe(422);
    expect((await system.control.put(relayPath(account), { ...body, senders: senders.slice(1) })).status).toBe(200);
  });

  it("when there are any, only mails of those senders take the relay; others take the default route", async () => {
    const account = await system.account();
    await system.relay(account, relay, { senders: [account.sender] });
    const [listed, other] = [await whenSent(account), await whenSent(account, { sender: `other@${account.domain}` })];
    expect([wayOf(listed.recipient), wayOf(other.recipient)]).toEqual([["relay"], ["mx"]]);
  });

  it("when there are none, every mail of the sender domain takes it", async () => {
    const account = await relayedAccount({ senders: [] });
    const { recipient } = await whenSent(account, { sender: `whoever@${account.domain}` });
    expect(wayOf(recipient)).toEqual(["relay"]);
  });
});

describe("7. only configuration decides", () => {
  it("a JobRequest has no way to say a relay", async () => {
    const account = await system.account();
    const recipient = newRecipient();
    const options = { relay: relay.host, host: relay.host };
    const xHeaders = { "X-Waypost-Relay": relay.host };
    const job = jobOf(account, [recipient], { job: { options }, mail: { from: { email: account.sender }, xHeaders } });
    const [mail] = await system.mailsOf(await system.accept(account, job));
    await system.ended(mail?.mailId ?? "");
    expect(wayOf(recipient)).toEqual(["mx"]);
  });

  it("the sender is the envelope sender, not the header From", async () => {
    const account = await relayedAccount({ senders: [] });
    const mimeDomain = `mime-${account.domain}`;
    await system.control.put(`/v1/accounts/${account.name}/domains/${mimeDomain}`, {});
    const recipient = newRecipient();
    const mail = { from: { email: `bounces@${mimeDomain}` }, mimeFrom: { email: account.sender } };
    const [sent] = await system.mailsOf(await system.accept(account, jobOf(account, [recipient], { mail })));
    await system.ended(sent?.mailId ?? "");
    expect(wayOf(recipient)).toEqual(["mx"]);
  });

  it("with a null reverse-path it is the header From", async () => {
    const account = await relayedAccount();
    const recipient = newRecipient();
    await submitBySmtp(system, account, { from: "", to: [recipient], headers: { From: account.sender } });
    await eventually(() => wayOf(recipient).length > 0);
    expect(wayOf(recipient)).toEqual(["relay"]);
    expect(relay.mails.find((mail) => mail.to.includes(recipient))?.from).toBe("");
  });

  it("domains and sender addresses compare without regard to case", async () => {
    const account = await system.account();
    await system.relay(account, relay, { senders: [`Sender@${account.domain.toUpperCase()}`] });
    const { recipient } = await whenSent(account, { sender: `SENDER@${account.domain.toUpperCase()}` });
    expect(wayOf(recipient)).toEqual(["relay"]);
  });
});

describe("8. an optional dedicated source IP for the account", () => {
  it("is what the relay sees", async () => {
    const account = await system.account({ dedicatedIp: "127.77.8.9" });
    await system.relay(account, relay);
    const { recipient } = await whenSent(account);
    expect(relay.mails.find((mail) => mail.to.includes(recipient))?.remoteAddress).toBe("127.77.8.9");
  });
});

describe("9. for a relayed mail the relay is the final processing step", () => {
  it("its acceptance is DELIVERED / FINISHED", async () => {
    const { mail } = await whenSent(await relayedAccount());
    expect(endOf(mail)?.meta.event).toMatchObject({
      phase: "DELIVER",
      state: "FINISHED",
      type: "DELIVERED",
      subType: "OK",
    });
  });
});

/** A relay of the test's own, with a script. */
async function scripted(script: MailScript): Promise<{ server: MailServer; account: TestAccount }> {
  const server = await startMailServer({ script });
  return { server, account: await relayedAccount({}, server) };
}

describe("10. a relay that fails", () => {
  it("by 4xx is tried again until the deadline, then the mail bounces softly with the last reply", async () => {
    const { server, account } = await scripted({ rcpt: () => ({ code: 451, text: "4.3.0 not now" }) });
    const { mail } = await whenSent(account);
    await server.close();
    expect(endOf(mail)?.meta.event).toMatchObject({ state: "FINISHED", type: "BOUNCED", subType: "SOFT_BOUNCE" });
    expect(endOf(mail)?.content?.smtp).toMatchObject({ responseCode: "451", dsn: "4.3.0", relay: server.host });
    expect(mail.attempts.length).toBeGreaterThan(2);
  });

  it("by being down is tried again, and delivers when it is back", async () => {
    const { server, account } = await scripted({});
    await server.close();
    const jobId = await system.accept(account, jobOf(account, [newRecipient()]));
    const [sent] = await system.mailsOf(jobId);
    await eventually(async () => {
      const { body } = await system.control.get<MailRecord>(`/v1/mails/${sent?.mailId}`);
      return body.attempts.length > 0;
    });
    await server.listen();
    const mail = await system.ended(sent?.mailId ?? "");
    await server.close();
    expect(endOf(mail)?.meta.event.type).toBe("DELIVERED");
  });

  it.each<[string, MailScript]>([
    ["MAIL", { mail: () => ({ code: 550, text: "5.7.1 no" }) }],
    ["RCPT", { rcpt: () => ({ code: 550, text: "5.1.1 no" }) }],
    ["the final dot", { dot: () => ({ code: 554, text: "5.6.0 no" }) }],
  ])("by a 5xx in reply to %s bounces hard at once", async (_, script) => {
    const { server, account } = await scripted(script);
    const { mail } = await whenSent(account);
    await server.close();
    expect(endOf(mail)?.meta.event).toMatchObject({ type: "BOUNCED", subType: "HARD_BOUNCE" });
    expect(mail.attempts).toHaveLength(1);
  });

  it("by a fault of the set-up is treated as being down", async () => {
    const { server, account } = await scripted({ connect: () => ({ code: 554, text: "5.7.1 no service" }) });
    const jobId = await system.accept(account, jobOf(account, [newRecipient()]));
    const [sent] = await system.mailsOf(jobId);
    const deferred = await eventually(async () => {
      const { body } = await system.control.get<MailRecord>(`/v1/mails/${sent?.mailId}`);
      return body.attempts.length > 0 ? body : undefined;
    });
    expect(deferred.trackingPoints.at(-1)?.meta.event.type).toBe("DEFERRED");
    server.script = {};
    const mail = await system.ended(sent?.mailId ?? "");
    await server.close();
    expect(endOf(mail)?.meta.event.type).toBe("DELIVERED");
  });

  it("is tried a last time at most one shortest wait before the deadline, and never after it", async () => {
    const attempts: number[] = [];
    const { server, account } = await scripted({
      mail: () => {
        attempts.push(Date.now());
        return { code: 451, text: "4.3.0 not now" };
      },
    });
    const { mail } = await whenSent(account);
    await server.close();
    const [first] = await system.control
      .get<{ deadline: string }>(`/v1/mails/${mail.mailId}`)
      .then(({ body }) => [Date.parse(body.deadline)]);
    const deadline = first ?? 0;
    const last = attempts.at(-1) ?? 0;
    expect(last).toBeLessThanOrEqual(deadline);
    expect(deadline - last).toBeLessThanOrEqual(SHORTEST_TIER_MS + 250);
    expect(Date.parse(endOf(mail)?.meta.event.ts ?? "")).toBeLessThan(deadline + DEADLINE_MS);
  });
});

describe("11. the relay's name is in content.smtp.relay", () => {
  it("of a relayed mail", async () => {
    const { mail } = await whenSent(await relayedAccount());
    expect(endOf(mail)?.content?.smtp?.relay).toBe(nameOf(relay.address));
  });

  it("and absent on the default route", async () => {
    const { mail } = await whenSent(await system.account());
    expect(endOf(mail)?.content?.smtp).not.toHaveProperty("relay");
  });
});
