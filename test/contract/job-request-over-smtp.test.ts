// The contract's *JobRequest over SMTP* and the operator contract's sentences on SMTP, a test for each.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer, ReceivedMail } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { DialogReply } from "#test/support/smtp-dialog.ts";
import { jobIdIn, openSession, SmtpDialog } from "#test/support/smtp-dialog.ts";
import type { CommonSystem } from "#test/support/common-system.ts";
import { commonSystem } from "#test/support/common-system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: CommonSystem;
let relay: MailServer;
let accountEndpoint: Endpoint;
let jobEndpoint: Endpoint;

beforeAll(async () => {
  system = await commonSystem();
  relay = await startMailServer();
  accountEndpoint = await startEndpoint();
  jobEndpoint = await startEndpoint();
});
afterAll(async () => {
  await Promise.all([relay.close(), accountEndpoint.close(), jobEndpoint.close()]);
});

const newRecipient = (): string => `${uniqueLabel("to")}@recipient.example`;

async function relayedAccount(settings: object = {}): Promise<TestAccount> {
  const account = await system.account(settings);
  await system.relay(account, relay);
  return account;
}

/** The account's way in, once every service knows of it. */
async function session(account: TestAccount): Promise<SmtpDialog> {
  const dialog = await eventually(() => openSession(system.smtpPort, account));
  onTestFinished(() => dialog.close());
  return dialog;
}

async function open(localAddress?: string): Promise<SmtpDialog> {
  const dialog = await SmtpDialog.open(system.smtpPort, localAddress === undefined ? {} : { localAddress });
  onTestFinished(() => dialog.close());
  await dialog.reply();
  await dialog.command("EHLO client.example");
  return dialog;
}

const relayed = (recipient: string): Promise<ReceivedMail> =>
  eventually(() => relay.mails.find((mail) => mail.to.includes(recipient)));

/** Sends a message with these lines on top and gives what the relay got, below our Received field. */
async function throughRelay(account: TestAccount, message: string): Promise<{ reply: DialogReply; below: string }> {
  const recipient = newRecipient();
  const dialog = await session(account);
  const reply = await dialog.send({ from: account.sender, to: [recipient] }, message);
  jobIdIn(reply);
  const { text } = await relayed(recipient);
  return { reply, below: text.replace(/^Received: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*/, "") };
}

async function refused(account: TestAccount, header: string): Promise<DialogReply> {
  const dialog = await session(account);
  return dialog.send({ from: account.sender, to: [newRecipient()] }, `${header}\r\nSubject: x\r\n\r\nHello\r\n`);
}

describe("SMTP AUTH PLAIN or LOGIN with the account's credentials over TLS, or by source IP", () => {
  it("takes AUTH PLAIN under TLS", async () => {
    const account = await relayedAccount();
    const dialog = await session(account);
    expect((await dialog.send({ from: account.sender, to: [newRecipient()] }, "Subject: a\r\n\r\n")).code).toBe(250);
  });

  it("takes AUTH LOGIN under TLS", async () => {
    const account = await relayedAccount();
    await session(account);
    const dialog = await open();
    await dialog.startTls();
    await dialog.command("EHLO client.example");
    expect(await dialog.login(account)).toMatchObject({ code: 235, enhanced: "2.7.0" });
  });

  it("neither offers nor takes AUTH without TLS", async () => {
    const dialog = await SmtpDialog.open(system.smtpPort);
    await dialog.reply();
    const features = (await dialog.command("EHLO client.example")).lines;
    expect(features).toContain("STARTTLS");
    expect(features.join("\n")).not.toContain("AUTH");
    expect((await dialog.plain(await system.account())).code).toBe(538);
    dialog.close();
  });

  it("takes mail from a source IP that the account lists, without TLS and AUTH", async () => {
    const account = await relayedAccount({ sourceIps: ["127.77.1.0/24"] });
    const dialog = await open("127.77.1.9");
    const envelope = { from: account.sender, to: [newRecipient()] };
    const reply = await eventually(async () => {
      const answer = await dialog.send(envelope, "Subject: a\r\n\r\n");
      return answer.code === 250 ? answer : undefined;
    });
    expect(reply.text).toContain("queued as");
  });

  it("refuses mail from any other address without AUTH: 530 5.7.0", async () => {
    const dialog = await open("127.77.2.9");
    expect(await dialog.command("MAIL FROM:<a@acme.example>")).toMatchObject({ code: 530, enhanced: "5.7.0" });
  });

  it("refuses credentials of an account from an address that it doesn't list", async () => {
    const account = await system.account({ sourceIps: ["127.77.3.1/32"] });
    const dialog = await open();
    await dialog.startTls();
    await dialog.command("EHLO client.example");
    const answer = await eventually(async () => {
      const reply = await dialog.plain(account);
      return reply.enhanced === "5.7.1" ? reply : undefined;
    });
    expect(answer.code).toBe(535);
  });

  it("where several accounts list the same network, takes the one that owns the sender's domain", async () => {
    const [first, second] = await Promise.all([1, 2].map(() => relayedAccount({ sourceIps: ["127.77.4.0/24"] })));
    const dialog = await open("127.77.4.1");
    for (const account of [first, second]) {
      const jobId = await eventually(async () => {
        const reply = await dialog.send({ from: account?.sender ?? "", to: [newRecipient()] }, "Subject: a\r\n\r\n");
        return reply.code === 250 ? jobIdIn(reply) : undefined;
      });
      await system.mailsOf(jobId);
      const { body } = await system.control.get<{ account: string }>(`/v1/jobs/${jobId}`);
      expect(body.account).toBe(account?.name);
    }
  });
});

describe("the message is relayed as it came, apart from the control headers", () => {
  it("byte for byte, below one Received line", async () => {
    const body = "Line one\r\n.dot\r\n..\r\n\tTab \u0000\u0080\u00ff\r\n\r\n--no end\r\n";
    const message = `From:  A <a@x.example>\r\nsubject:folded\r\n  twice\r\nX-Waypost-Unknown: stays\r\n\r\n${body}`;
    const { below } = await throughRelay(await relayedAccount(), message);
    expect(below).toBe(Buffer.from(message).toString("utf8"));
  });

  it("with the control headers read and removed, whatever their case and folding", async () => {
    const account = await relayedAccount();
    const { below, reply } = await throughRelay(
      account,
      "Subject: s\r\nx-waypost-reference:\r\n  order 7\r\nTo: t\r\nX-WAYPOST-Campaign-ID: spring\r\n" +
        "X-Waypost-COST-CENTER : 4711\r\nX-Waypost-MESSAGE-SIGNING-ACTIVE: false\r\n\r\nHello\r\n",
    );
    expect(below).toBe("Subject: s\r\nTo: t\r\n\r\nHello\r\n");
    await system.mailsOf(jobIdIn(reply));
    expect((await system.control.get(`/v1/jobs/${jobIdIn(reply)}`)).body).toMatchObject({
      referenceJob: "order 7",
      campaignId: "spring",
      costCenter: "4711",
    });
  });

  it("to every recipient of the envelope, one mail each, a repeated one once", async () => {
    const account = await relayedAccount();
    const [one, two] = [newRecipient(), newRecipient()];
    const another = one.replace("to", "TO");
    const dialog = await session(account);
    const reply = await dialog.send({ from: account.sender, to: [one, two, one, another] }, "Subject: a\r\n\r\n");
    const mails = await system.mailsOf(jobIdIn(reply), 3);
    expect(mails.map(({ email }) => email).toSorted()).toEqual([one, two, another].toSorted());
  });
});

describe("the control headers", () => {
  it.each([
    ["NOTIFICATION-URL", "no url"],
    ["NOTIFICATION-URL", `https://e.example/${"a".repeat(1_000)}`],
    ["NOTIFICATION-AUTH-METHOD", "DIGEST"],
    ["REFERENCE", "r".repeat(51)],
    ["CAMPAIGN-ID", "c".repeat(51)],
    ["COST-CENTER", "c".repeat(51)],
    ["MESSAGE-SIGNING-ACTIVE", "perhaps"],
  ])("%s with a bad value: a 5xx that names it", async (name, value) => {
    const url = name.startsWith("NOTIFICATION-AUTH") ? "X-Waypost-NOTIFICATION-URL: https://e.example/\r\n" : "";
    const reply = await refused(await relayedAccount(), `${url}X-Waypost-${name}: ${value}`);
    expect(reply.code).toBeGreaterThanOrEqual(500);
    expect(reply.text).toContain(`X-Waypost-${name}`);
  });

  it("NOTIFICATION-HEADER: key=value, repeatable, no duplicate keys, 1,000 characters in all", async () => {
    const account = await relayedAccount();
    const url = "X-Waypost-NOTIFICATION-URL: https://e.example/";
    const line = "\r\nX-Waypost-NOTIFICATION-HEADER: ";
    for (const bad of [
      `${line}no pair`,
      `${line}a=1${line}A=2`,
      `${line}a=${"1".repeat(600)}${line}b=${"1".repeat(600)}`,
      `${line}X-A=日本`,
      `${line}baggage=a=b`,
    ]) {
      const reply = await refused(account, url + bad);
      expect(reply.code).toBe(554);
      expect(reply.text).toContain("X-Waypost-NOTIFICATION-HEADER");
    }
  });

  it("name where the job's notifications go, in place of the account's defaults as a whole", async () => {
    const account = await relayedAccount({
      notification: {
        url: accountEndpoint.url,
        headers: { "X-Default": "1" },
        authentication: { method: "BASIC", user: "default", password: "default" },
      },
    });
    const { reply } = await throughRelay(
      account,
      `X-Waypost-NOTIFICATION-URL: ${jobEndpoint.url}\r\nX-Waypost-NOTIFICATION-HEADER: X-Own=a=b\r\n` +
        "X-Waypost-NOTIFICATION-HEADER: X-Two=2\r\nSubject: s\r\n\r\n",
    );
    const jobId = jobIdIn(reply);
    const request = await eventually(() => jobEndpoint.requests.find(({ body }) => body.meta.jobId === jobId));
    expect(request.headers).toMatchObject({ "x-own": "a=b", "x-two": "2" });
    expect(request.headers).not.toHaveProperty("x-default");
    expect(request.headers).not.toHaveProperty("authorization");
    expect(accountEndpoint.requests.filter(({ body }) => body.meta.jobId === jobId)).toEqual([]);
  });

  it("carry the endpoint's credentials", async () => {
    const { reply } = await throughRelay(
      await relayedAccount(),
      `X-Waypost-NOTIFICATION-URL: ${jobEndpoint.url}\r\nX-Waypost-NOTIFICATION-AUTH-METHOD: BASIC\r\n` +
        "X-Waypost-NOTIFICATION-AUTH-USER: user\r\nX-Waypost-NOTIFICATION-AUTH-PASSWORD: pass:word\r\n\r\n",
    );
    const jobId = jobIdIn(reply);
    const request = await eventually(() => jobEndpoint.requests.find(({ body }) => body.meta.jobId === jobId));
    expect(request.headers["authorization"]).toBe(`Basic ${Buffer.from("user:pass:word").toString("base64")}`);
  });
});

describe("the sender", () => {
  it("of a domain that isn't the account's: 550 5.7.1", async () => {
    const dialog = await session(await relayedAccount());
    expect(await dialog.command("MAIL FROM:<a@foreign.example>")).toMatchObject({ code: 550, enhanced: "5.7.1" });
  });

  it("is the header From under a null reverse-path", async () => {
    const account = await relayedAccount();
    const recipient = newRecipient();
    const dialog = await session(account);
    const own = `From: "Foreign, <a@foreign.example>" <${account.sender.toUpperCase()}>\r\n\r\n`;
    jobIdIn(await dialog.send({ from: "", to: [recipient] }, own));
    expect((await relayed(recipient)).from).toBe("");
    for (const from of [
      `${account.sender} (Cron Daemon)`,
      `Joe <${account.sender}> (work)`,
      `<${account.sender.replace("@", "(x)@")}>`,
    ]) {
      const other = newRecipient();
      jobIdIn(await dialog.send({ from: "", to: [other] }, `From: ${from}\r\n\r\n`));
      await relayed(other);
    }
    for (const from of ["From: a@foreign.example\r\n", "", `From: ${account.sender}\r\nFrom: b@foreign.example\r\n`])
      expect(await dialog.send({ from: "", to: [newRecipient()] }, `${from}\r\n`)).toMatchObject({
        code: 550,
        enhanced: "5.7.1",
      });
  });

  it("is compared without regard to case", async () => {
    const account = await relayedAccount();
    const dialog = await session(account);
    const envelope = { from: account.sender.toUpperCase(), to: [newRecipient()] };
    expect((await dialog.send(envelope, "Subject: a\r\n\r\n")).code).toBe(250);
  });
});

describe("limits", () => {
  it("after 10 failed logins within a minute: 454 4.7.0, and other accounts go on", async () => {
    const [account, other] = [await relayedAccount(), await relayedAccount()];
    await session(account);
    const dialog = await open();
    await dialog.startTls();
    await dialog.command("EHLO client.example");
    for (let count = 0; count < 10; count += 1)
      expect(await dialog.plain({ ...account, password: "wrong" })).toMatchObject({ code: 535, enhanced: "5.7.8" });
    expect(await dialog.plain(account)).toMatchObject({ code: 454, enhanced: "4.7.0" });
    expect((await system.submit(account, {})).status).toBe(429);
    await session(other);
  });

  it("a mail over 20,971,520 bytes: 552 5.3.4, by what is announced and by what is sent", async () => {
    const account = await relayedAccount();
    const dialog = await session(account);
    const mail = `MAIL FROM:<${account.sender}>`;
    expect(await dialog.command(`${mail} SIZE=20971521`)).toMatchObject({ code: 552, enhanced: "5.3.4" });
    const line = `${"a".repeat(1_022)}\r\n`;
    const head = "Subject: a\r\n\r\n";
    const least = head + line.repeat(20_479);
    const exact = least + "a".repeat(20_971_520 - least.length - 2);
    const to = [newRecipient()];
    expect(await dialog.send({ from: account.sender, to }, `${exact}a\r\n`)).toMatchObject({
      code: 552,
      enhanced: "5.3.4",
    });
    jobIdIn(await dialog.send({ from: account.sender, to, parameters: "SIZE=20971520" }, `${exact}\r\n`));
  });

  it("over 1,000 recipients: 452 4.5.3 for the rest", async () => {
    const account = await relayedAccount();
    const dialog = await session(account);
    await dialog.command(`MAIL FROM:<${account.sender}>`);
    dialog.write(Array.from({ length: 1_002 }, (_, index) => `RCPT TO:<r${index}@recipient.example>\r\n`).join(""));
    const replies: DialogReply[] = [];
    for (let index = 0; index < 1_002; index += 1) replies.push(await dialog.reply());
    expect(new Set(replies.slice(0, 1_000).map(({ code }) => code))).toEqual(new Set([250]));
    expect(replies.slice(1_000)).toMatchObject([
      { code: 452, enhanced: "4.5.3" },
      { code: 452, enhanced: "4.5.3" },
    ]);
  });

  it("50 Received lines: 554 5.4.6", async () => {
    const reply = await refused(await relayedAccount(), Array.from({ length: 50 }, () => "Received: x").join("\r\n"));
    expect(reply).toMatchObject({ code: 554, enhanced: "5.4.6" });
  });
});

describe("the extensions", () => {
  it("are STARTTLS, SIZE, 8BITMIME, SMTPUTF8, PIPELINING and ENHANCEDSTATUSCODES", async () => {
    const dialog = await SmtpDialog.open(system.smtpPort);
    await dialog.reply();
    const { lines } = await dialog.command("EHLO client.example");
    dialog.close();
    const wanted = ["STARTTLS", "SIZE 20971520", "8BITMIME", "SMTPUTF8", "PIPELINING", "ENHANCEDSTATUSCODES"];
    expect(lines).toEqual(expect.arrayContaining(wanted));
  });

  it("of others, parameters are refused: 555 5.5.4", async () => {
    const account = await relayedAccount();
    const dialog = await session(account);
    const unknown = { code: 555, enhanced: "5.5.4" };
    expect(await dialog.command(`MAIL FROM:<${account.sender}> REQUIRETLS`)).toMatchObject(unknown);
    expect((await dialog.command(`MAIL FROM:<${account.sender}> BODY=8BITMIME SIZE=10 AUTH=<>`)).code).toBe(250);
    expect(await dialog.command(`RCPT TO:<${newRecipient()}> NOTIFY=NEVER`)).toMatchObject(unknown);
    expect((await dialog.command(`RCPT TO:<${newRecipient()}>`)).code).toBe(250);
  });

  it("take a whole envelope in one write", async () => {
    const account = await relayedAccount();
    const dialog = await session(account);
    const envelope = `MAIL FROM:<${account.sender}>\r\nRCPT TO:<${newRecipient()}>\r\nDATA\r\n`;
    dialog.write(envelope);
    expect([(await dialog.reply()).code, (await dialog.reply()).code, (await dialog.reply()).code]).toEqual([
      250, 250, 354,
    ]);
    dialog.write(`Subject: a\r\n\r\n.\r\n${envelope}`);
    expect((await dialog.reply()).code).toBe(250);
    expect([(await dialog.reply()).code, (await dialog.reply()).code, (await dialog.reply()).code]).toEqual([
      250, 250, 354,
    ]);
  });

  it("take an address outside ASCII with SMTPUTF8, and not without", async () => {
    const account = await relayedAccount();
    const dialog = await session(account);
    await dialog.command(`MAIL FROM:<${account.sender}> SMTPUTF8`);
    expect((await dialog.command("RCPT TO:<jürgen@recipient.example>")).code).toBe(250);
    await dialog.command("RSET");
    await dialog.command(`MAIL FROM:<${account.sender}>`);
    expect(await dialog.command("RCPT TO:<jürgen@recipient.example>")).toMatchObject({ code: 553, enhanced: "5.6.7" });
  });
});
