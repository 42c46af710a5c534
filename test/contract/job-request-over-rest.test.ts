// Contract, JobRequest over REST: a test for each sentence, against the mail that a relay gets.
import type { ParsedMail } from "mailparser";
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer, ReceivedMail } from "#test/support/mail-server.ts";
import type { RelayedSystem } from "#test/support/relayed-system.ts";
import { startRelayedSystem } from "#test/support/relayed-system.ts";
import type { System } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: System;
let relay: MailServer;
let account: TestAccount;
let stop: RelayedSystem["stop"];
let count = 0;

beforeAll(async () => {
  ({ system, relay, account, stop } = await startRelayedSystem());
});
afterAll(() => stop());

/** A recipient that no other test has. */
function recipient(): string {
  count += 1;
  return `to-${count}@recipient.example`;
}

interface Arrived {
  envelope: ReceivedMail;
  parsed: ParsedMail;
}

async function arrived(to: string): Promise<Arrived> {
  const envelope = await eventually(() => relay.accepted.find((mail) => mail.to.includes(to)));
  return { envelope, parsed: await simpleParser(envelope.raw) };
}

/** Submits a job to one new recipient, and waits for its mail. */
async function relayed(parts: Parameters<typeof jobOf>[2], mail: object = {}): Promise<Arrived> {
  const to = recipient();
  await system.accept(account, {
    ...jobOf(account, [to], parts),
    recipients: [{ mail: { to: [{ email: to }], ...mail } }],
  });
  return arrived(to);
}

async function refusal(job: unknown, headers: Record<string, string> = {}) {
  const answer = await system.submit(account, job, headers);
  expect(answer.headers.get("content-type")).toContain("application/problem+json");
  return answer;
}

async function mistakesOf(parts: object): Promise<readonly (string | undefined)[]> {
  const answer = await refusal({ ...jobOf(account, ["to@recipient.example"]), ...parts });
  expect(answer.status).toBe(422);
  const errors = answer.body["errors"];
  return Array.isArray(errors) ? errors.map((error: { path?: string }) => error.path) : [];
}

const base64 = (bytes: string | Buffer): string => Buffer.from(bytes).toString("base64");
const headerOf = (mail: Arrived, name: string): string | undefined => {
  const line = mail.parsed.headerLines.find(({ key }) => key === name.toLowerCase())?.line;
  return line
    ?.slice(name.length + 1)
    .replace(/\r\n(?=[ \t])/g, "")
    .trim();
};

describe("a key that is present has a non-empty value", () => {
  it.each([
    ["null", { job: null }, "job"],
    ["an empty string", { subject: { content: "" } }, "subject.content"],
    ["an empty list", { attachments: [] }, "attachments"],
    ["an empty map", { mail: { from: { email: "x@y.example" }, xHeaders: {} } }, "mail.xHeaders"],
  ])("refuses %s", async (_, parts, path) => expect(await mistakesOf(parts)).toContain(path));

  it("is named once", async () => expect(await mistakesOf({ job: { costCenter: "" } })).toEqual(["job.costCenter"]));

  it("names every mistake with its path, unknown fields one by one", async () => {
    const recipients = [{ mail: { to: [{ email: 7 }], cc: [{ mail: "x" }] } }, { mail: {} }];
    const paths = await mistakesOf({ subject: {}, recipients, mail: {}, extra: 1, job: { options: [], x: 1 } });
    expect(paths).toEqual(
      expect.arrayContaining([
        "subject.content",
        "recipients[0].mail.to[0].email",
        "recipients[0].mail.cc[0].email",
        "recipients[0].mail.cc[0].mail",
        "recipients[1].mail",
        "mail.from",
        "extra",
        "job.x",
        "job.options",
      ]),
    );
  });

  it("names the whole body `.`", async () => {
    const answer = await refusal(["no job"]);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: "." }] } });
  });
});

describe("subject", () => {
  it("is required", async () => {
    const answer = await system.submit(account, { ...jobOf(account, ["to@recipient.example"]), subject: undefined });
    expect(answer.body["errors"]).toEqual([{ path: "subject", message: "required" }]);
  });

  it("has at most 500 characters, decoded", async () => {
    const content = base64("ü".repeat(500));
    expect((await relayed({ subject: { content, contentEncoding: "base64" } })).parsed.subject).toBe("ü".repeat(500));
    expect(await mistakesOf({ subject: { content: "x".repeat(501) } })).toEqual(["subject.content"]);
  });

  it("has 500 characters outside the basic plane, without white space", async () => {
    const { parsed } = await relayed({ subject: { content: "💥".repeat(500) } });
    expect(parsed.subject).toBe("💥".repeat(500));
  });

  it("is read in its charset", async () => {
    const subject = { content: base64(Buffer.from([0xe4, 0xf6])), contentEncoding: "base64", charset: "iso-8859-1" };
    expect((await relayed({ subject })).parsed.subject).toBe("äö");
  });

  it("has the contentTransferEncoding that was asked for", async () => {
    const subject = { content: "Grüße", contentTransferEncoding: "base64" };
    const mail = await relayed({ subject });
    expect(headerOf(mail, "Subject")).toMatch(/^=\?UTF-8\?B\?/i);
    expect(mail.parsed.subject).toBe("Grüße");
  });
});

describe("body and alternative", () => {
  it.each([
    ["plain", "Zeile eins\nZeile zwei: Grüße 😀"],
    ["quoted-printable", "Gr=C3=BC=C3=9Fe, a=\r\nb"],
    ["base64", base64("Grüße")],
  ])("reads content in %s", async (contentEncoding, content) => {
    const { parsed } = await relayed({ body: { content, contentEncoding } });
    const expected = { plain: "Zeile eins\nZeile zwei: Grüße 😀", "quoted-printable": "Grüße, ab", base64: "Grüße" };
    expect(parsed.text?.trim()).toBe(expected[contentEncoding as keyof typeof expected]);
  });

  it("keeps the charset", async () => {
    const body = {
      content: base64(Buffer.from([0x47, 0x72, 0xfc, 0xdf, 0x65])),
      contentEncoding: "base64",
      charset: "ISO-8859-1",
    };
    const mail = await relayed({ body });
    expect(headerOf(mail, "Content-Type")?.toLowerCase()).toContain("charset=iso-8859-1");
    expect(mail.parsed.text?.trim()).toBe("Grüße");
  });

  it.each(["quoted-printable", "base64"])("writes in contentTransferEncoding %s", async (contentTransferEncoding) => {
    const mail = await relayed({ body: { content: "plain text", contentTransferEncoding } });
    expect(headerOf(mail, "Content-Transfer-Encoding")).toBe(contentTransferEncoding);
    expect(mail.parsed.text?.trim()).toBe("plain text");
  });

  it("sends HTML with its alternative", async () => {
    const mail = await relayed({
      body: { contentType: "text/html", content: "<p>Grüße</p>" },
      alternative: { content: "Grüße" },
    });
    expect(headerOf(mail, "Content-Type")).toContain("multipart/alternative");
    expect(mail.parsed).toMatchObject({
      text: expect.stringContaining("Grüße"),
      html: expect.stringContaining("<p>Grüße</p>"),
    });
  });

  it("refuses an alternative beside plain text", async () =>
    expect(await mistakesOf({ alternative: { content: "x" } })).toEqual(["alternative"]));

  it.each([
    [{ content: "x", contentEncoding: "gzip" }, "body.contentEncoding"],
    [{ content: "§§", contentEncoding: "base64" }, "body.content"],
    [{ content: "=XY", contentEncoding: "quoted-printable" }, "body.content"],
    [{ content: "x", charset: "klingon" }, "body.charset"],
    [{ content: "x", contentType: "application/json" }, "body.contentType"],
  ])("refuses %j", async (body, path) => expect(await mistakesOf({ body })).toEqual([path]));

  it("is 7-bit with CRLF in lines of at most 998 characters", async () => {
    const content = `${"ä".repeat(3_000)}\n${"x".repeat(3_000)}\n.\nFrom here\r\ud83d\ude00`;
    const { envelope } = await relayed({ body: { content } });
    const raw = envelope.raw.toString("latin1");
    expect(raw).toMatch(/^[\t\r\n -~]*$/);
    expect(raw.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    expect(Math.max(...raw.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(998);
  });
});

describe("attachments", () => {
  it("come with names outside ASCII and their bytes", async () => {
    const bytes = Buffer.from(Array.from({ length: 5_000 }, (_, index) => index % 256));
    const attachments = [
      { name: "Übersicht – März.pdf", contentType: "application/pdf", content: base64(bytes) },
      { name: 'quo"te;.txt', content: base64("text") },
    ];
    const { parsed } = await relayed({ attachments });
    expect(parsed.attachments.map(({ filename, contentType }) => [filename, contentType])).toEqual([
      ["Übersicht – März.pdf", "application/pdf"],
      ['quo"te;.txt', "text/plain"],
    ]);
    expect(parsed.attachments[0]?.content.equals(bytes)).toBe(true);
    expect(parsed.text?.trim()).toBe("Hello");
  });

  it("are base64", async () =>
    expect(await mistakesOf({ attachments: [{ name: "a", content: "no base64!" }] })).toEqual([
      "attachments[0].content",
    ]));
});

describe("recipients", () => {
  it("of one entry share one MIME, and bcc is shown to nobody", async () => {
    const [to, cc, bcc] = [recipient(), recipient(), recipient()];
    const mail = { to: [{ email: `"Jörg, T." <${to}>` }], cc: [{ email: cc }], bcc: [{ email: bcc }] };
    const jobId = await system.accept(account, { ...jobOf(account, []), recipients: [{ mail }] });
    const mails = await Promise.all([to, cc, bcc].map(arrived));
    const [first] = mails;
    expect(first?.parsed.to).toMatchObject({ value: [{ address: to, name: "Jörg, T." }] });
    expect(first?.parsed.cc).toMatchObject({ value: [{ address: cc }] });
    for (const { envelope } of mails) {
      expect(envelope.to).toHaveLength(1);
      expect(envelope.text).not.toContain(bcc);
      expect(envelope.raw.equals(first?.envelope.raw ?? Buffer.alloc(0))).toBe(true);
    }
    expect((await system.mailsOf(jobId, 3)).map(({ email }) => email)).toEqual(
      expect.arrayContaining([`"Jörg, T." <${to}>`, cc, bcc]),
    );
  });

  it("of different entries have their own", async () => {
    const [one, two] = [recipient(), recipient()];
    await system.accept(account, jobOf(account, [one, two]));
    const [first, second] = await Promise.all([one, two].map(arrived));
    expect(first?.envelope.text).not.toContain(two);
    expect(first?.parsed.messageId).not.toBe(second?.parsed.messageId);
  });

  it("number 1 to 1,000, over all entries", async () => {
    const many = Array.from({ length: 501 }, (_, index) => ({ email: `r${index}@recipient.example` }));
    expect(await mistakesOf({ recipients: [{ mail: { to: many } }, { mail: { bcc: many } }] })).toEqual(["recipients"]);
    expect(await mistakesOf({ recipients: [] })).toEqual(["recipients"]);
    expect(await mistakesOf({ recipients: undefined })).toEqual(["recipients"]);
  });

  it("that are no address are dropped alone", async () => {
    const good = recipient();
    const mail = { to: [{ email: good }, { email: "no address" }] };
    const jobId = await system.accept(account, { ...jobOf(account, []), recipients: [{ mail }] });
    expect((await arrived(good)).parsed.to).toMatchObject({ value: [{ address: good }] });
    const bad = await eventually(async () =>
      (await system.mailsOf(jobId, 2)).find(({ email }) => email === "no address"),
    );
    expect((await system.ended(bad.mailId)).trackingPoints.at(-1)?.meta.event.subType).toBe("INVALID_ADDRESS");
  });

  it("show their reference in the record of their mails, and nowhere in the mail", async () => {
    const [first, second, other] = [recipient(), recipient(), recipient()];
    const recipients = [
      { mail: { to: [{ email: first }], cc: [{ email: second }] }, reference: "order 7 für Zoë" },
      { mail: { to: [{ email: other }] } },
    ];
    const jobId = await system.accept(account, { ...jobOf(account, []), recipients });
    const mails = await system.mailsOf(jobId, 3);
    const of = (email: string): unknown => mails.find((mail) => mail.email === email);
    expect(of(first)).toMatchObject({ reference: "order 7 für Zoë" });
    expect(of(second)).toMatchObject({ reference: "order 7 für Zoë" });
    expect(of(other)).not.toHaveProperty("reference");
    const { mailId } = mails.find((mail) => mail.email === first) ?? { mailId: "" };
    expect((await system.control.get(`/v1/mails/${mailId}`)).body).toMatchObject({ reference: "order 7 für Zoë" });
    const relayed = await eventually(() => relay.accepted.find(({ to }) => to.includes(first)));
    expect(relayed.raw.toString("latin1")).not.toContain("order 7");
  });

  it("override the job's fields", async () => {
    const job = { replyTo: { email: "job@reply.example" }, priority: "LOW", xHeaders: { "X-Level": "job" } };
    const own = {
      replyTo: { email: "Own <own@reply.example>" },
      priority: "HIGH",
      xHeaders: { "X-Level": "recipient" },
    };
    const parts = { mail: { from: { email: account.sender }, ...job } };
    const overridden = await relayed(parts, own);
    expect(overridden.parsed.replyTo?.text).toBe('"Own" <own@reply.example>');
    expect(headerOf(overridden, "X-Priority")).toMatch(/^1/);
    expect(headerOf(overridden, "X-Level")).toBe("recipient");
    const plain = await relayed(parts);
    expect(plain.parsed.replyTo?.text).toBe("job@reply.example");
    expect(headerOf(plain, "X-Priority")).toMatch(/^5/);
  });
});

describe("mail fields", () => {
  it("take the envelope sender as header From where mimeFrom is left out", async () => {
    const { envelope, parsed } = await relayed({ mail: { from: { email: `Shop <${account.sender}>` } } });
    expect(envelope.from).toBe(account.sender);
    expect(parsed.from).toMatchObject({ value: [{ address: account.sender, name: "Shop" }] });
  });

  it("show mimeFrom as header From", async () => {
    const mail = { from: { email: account.sender }, mimeFrom: { email: "Büro <office@other.example>" } };
    const { envelope, parsed } = await relayed({ mail });
    expect(envelope.from).toBe(account.sender);
    expect(parsed.from).toMatchObject({ value: [{ address: "office@other.example", name: "Büro" }] });
  });

  it.each([
    ["HIGH", "1 (Highest)", "High"],
    ["NORMAL", "3 (Normal)", "Normal"],
    ["LOW", "5 (Lowest)", "Low"],
  ])("tell priority %s in the headers that mail clients read", async (priority, xPriority, importance) => {
    const mail = await relayed({}, { priority });
    expect([headerOf(mail, "X-Priority"), headerOf(mail, "Importance"), headerOf(mail, "X-MSMail-Priority")]).toEqual([
      xPriority,
      importance,
      importance,
    ]);
  });

  it("answer another mail with inReplyTo and References", async () => {
    const { parsed } = await relayed({}, { inReplyTo: "<original@example.com>" });
    expect([parsed.inReplyTo, parsed.references]).toEqual(["<original@example.com>", "<original@example.com>"]);
  });

  it("let a list be left, by one click where the URI is https", async () => {
    const listUnsubscribe = "<https://list.example/leave?id=1>, <mailto:leave@list.example>";
    const mail = await relayed({}, { listUnsubscribe });
    expect(headerOf(mail, "List-Unsubscribe")).toBe(listUnsubscribe);
    expect(headerOf(mail, "List-Unsubscribe-Post")).toBe("List-Unsubscribe=One-Click");
    const byMail = await relayed({}, { listUnsubscribe: "mailto:leave@list.example" });
    expect(headerOf(byMail, "List-Unsubscribe")).toBe("<mailto:leave@list.example>");
    expect(headerOf(byMail, "List-Unsubscribe-Post")).toBeUndefined();
  });

  it("carry xHeaders, whatever their keys", async () => {
    const xHeaders = JSON.parse('{"X-Größe":"no","x":1}') as object;
    expect(await mistakesOf({ mail: { from: { email: account.sender }, xHeaders } })).toEqual([
      "mail.xHeaders.X-Größe",
      "mail.xHeaders.x",
    ]);
    const given = { "X-SMTPAPI": '{"category":"a"}', "List-Id": '"News" <news.acme.example>' };
    const asGiven = await relayed({}, { xHeaders: given });
    expect(Object.keys(given).map((name) => headerOf(asGiven, name))).toEqual(Object.values(given));
    const odd = JSON.parse('{"__proto__":"p","$where":"w","a.b":"Grüße an alle"}') as object;
    const mail = await relayed({}, { xHeaders: odd });
    expect([headerOf(mail, "__proto__"), headerOf(mail, "$where")]).toEqual(["p", "w"]);
    expect(headerOf(mail, "a.b")).toBe("=?UTF-8?Q?Gr=C3=BC=C3=9Fe_an_alle?=");
  });

  it.each(["From", "bcc", "Content-Type", "Received", "DKIM-Signature", "Resent-To"])(
    "refuse %s as an xHeader",
    async (name) =>
      expect(await mistakesOf({ mail: { from: { email: account.sender }, xHeaders: { [name]: "x" } } })).toEqual([
        `mail.xHeaders.${name}`,
      ]),
  );

  it("have no CR or LF in a header value", async () => {
    const evil = "x\r\nBcc: victim@example.com";
    const paths = await mistakesOf({
      subject: { content: evil },
      mail: { from: { email: `${evil} <${account.sender}>` }, xHeaders: { "X-A": evil }, inReplyTo: evil },
      recipients: [{ mail: { to: [{ email: evil }], listUnsubscribe: evil } }],
      attachments: [{ name: evil, content: "eA==" }],
    });
    expect(paths).toEqual(
      expect.arrayContaining([
        "subject.content",
        "mail.from.email",
        "mail.xHeaders.X-A",
        "mail.inReplyTo",
        "recipients[0].mail.to[0].email",
        "recipients[0].mail.listUnsubscribe",
        "attachments[0].name",
      ]),
    );
  });

  it("require one sender that can be written", async () => {
    for (const email of [`A <a@else.example>, ${account.sender}`, `a@else.example, <${account.sender}>`])
      expect(await mistakesOf({ mail: { from: { email } } })).toEqual(["mail.from.email"]);
  });

  it("require a sender whose domain is the account's", async () =>
    expect(await mistakesOf({ mail: { from: { email: "someone@else.example" } } })).toEqual(["mail.from.email"]));
});
