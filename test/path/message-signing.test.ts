// Message Signing of the contract, through all services: what a mail exchanger received is verified by OpenSSL.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { simpleParser } from "mailparser";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { CommonSystem } from "#test/support/common-system.ts";
import { commonSystem } from "#test/support/common-system.ts";
import { eventually } from "#test/support/eventually.ts";
import type { JobParts } from "#test/support/job.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer, ReceivedMail } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { SigningAuthority } from "#test/support/signing-certificate.ts";
import { createSigningAuthority, verifyByOpenssl } from "#test/support/signing-certificate.ts";
import { jobIdIn, openSession } from "#test/support/smtp-dialog.ts";
import type { MailRecord, TestAccount } from "#test/support/system-client.ts";

let system: CommonSystem;
let mx: MailServer;
let authority: SigningAuthority;
let signing: TestAccount;
const domain = `${uniqueLabel("signed")}.example`;

beforeAll(async () => {
  [system, authority] = await Promise.all([commonSystem(), createSigningAuthority()]);
  mx = await startMailServer({ port: system.mxPort });
  await system.setDns(domain, { mx: [{ preference: 10, exchange: mx.host }] });
  signing = await signingAccount();
});
afterAll(() => mx.close());

const pathOf = ({ name, domain: own }: TestAccount): string => `/v1/accounts/${name}/domains/${own}`;

async function putDomain(account: TestAccount, body: object): Promise<void> {
  expect((await system.control.put(pathOf(account), body)).status).toBe(200);
}

/** An account whose sender `sender@…` has a certificate. It counts where a mail of it comes out signed. */
async function signingAccount(): Promise<TestAccount> {
  const account = await system.account();
  const material = await authority.issue({ address: account.sender.replace("sender", "Sender") });
  await putDomain(account, { messageSigning: true, signing: material });
  await eventually(async () => isSigned(await sentBy(account)));
  return account;
}

const newRecipient = (): string => `${uniqueLabel("to")}@${domain}`;
const isSigned = ({ text }: ReceivedMail): boolean => /^Content-Type: multipart\/signed;/m.test(text);
const receivedBy = (recipient: string): Promise<ReceivedMail> =>
  eventually(() => mx.accepted.find((mail) => mail.to.includes(recipient)));

async function sentBy(account: TestAccount, parts: JobParts = {}): Promise<ReceivedMail> {
  const recipient = newRecipient();
  await system.accept(account, jobOf(account, [recipient], parts));
  return receivedBy(recipient);
}

/** The same bytes but one, in the middle of what is signed. */
function withOneByteChanged(raw: Buffer, inside: string): Buffer {
  const at = raw.indexOf(inside);
  expect(at).toBeGreaterThan(0);
  const changed = Buffer.from(raw);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

function expectVerified(raw: Buffer, inside: string): Buffer {
  const verdict = verifyByOpenssl(raw, authority.certificate);
  expect(verdict).toMatchObject({ isValid: true });
  const changed = verifyByOpenssl(withOneByteChanged(raw, inside), authority.certificate);
  expect(changed).toMatchObject({ isValid: false, because: expect.stringContaining("content verify error") });
  return verdict.isValid ? verdict.content : Buffer.alloc(0);
}

const HTML = {
  body: { contentType: "text/html", content: "<p>Grüße aus Köln</p>" },
  alternative: { content: "Grüße aus Köln" },
};
const ATTACHED = {
  ...HTML,
  attachments: [
    { name: "Übersicht.pdf", contentType: "application/pdf", content: Buffer.alloc(5_000, "%PDF").toString("base64") },
    { name: "empty of text.bin", content: Buffer.from([0, 13, 10, 255]).toString("base64") },
  ],
};

describe("OpenSSL verifies, and not after one changed byte,", () => {
  it.each<[string, JobParts, string]>([
    ["plain text", { body: { content: "Dear customer,\n\nHello.\n" } }, "Dear customer"],
    ["text that a server might touch", { body: { content: "trailing  \t \nFrom here on\n.\n..\n" } }, "here on"],
    ["HTML with an alternative", HTML, "<p>Gr"],
    ["attachments", ATTACHED, "JVBERiVQREYl"],
    ["non-ASCII in another script", { body: { content: "こんにちは世界。\nさようなら" } }, "44GT44KT44Gr44Gh44Gv"],
    ["a body larger than what travels", { body: { content: "A long line of text.\n".repeat(20_000) } }, "A long line"],
  ])("%s", async (_name, parts, inside) => {
    const { raw } = await sentBy(signing, { subject: { content: "Grüße ✓" }, ...parts });
    const content = expectVerified(raw, inside).toString("latin1");
    expect(content).toMatch(/^[\t\r\n -~]*$/);
    expect(content.split("\r\n").filter((line) => line.length > 998 || /[ \t]$|^From /.test(line))).toEqual([]);
    const parsed = await simpleParser(raw);
    expect(parsed.subject).toBe("Grüße ✓");
    expect(parsed.headers.get("content-type")).toMatchObject({
      value: "multipart/signed",
      params: { protocol: "application/pkcs7-signature", micalg: "sha-256" },
    });
  });

  it("an SMTP submission, whose content is signed as it came", async () => {
    for (const content of [
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße \r\n.\r\nFrom here on\r\n\r\n",
      'Content-Type: multipart/mixed;\r\n\tboundary="b"\r\n\r\npreamble\r\n--b\r\n\r\nFrom here on\r\n--b--\r\nepilogue\r\n',
      "\r\nFrom here on, without any MIME\r\n",
    ]) {
      const recipient = newRecipient();
      const dialog = await openSession(system.smtpPort, signing);
      const head = `From: A <${signing.sender}>\r\nX-Waypost-REFERENCE: r1\r\nSubject: as it\r\n came\r\nMIME-Version: 1.0\r\n`;
      jobIdIn(await dialog.send({ from: signing.sender, to: [recipient] }, head + content));
      dialog.close();
      const { raw } = await receivedBy(recipient);
      expect(expectVerified(raw, "here on").equals(Buffer.from(content))).toBe(true);
      expect(raw.toString("latin1")).toMatch(/^Received: [^]*\r\nSubject: as it\r\n came\r\nMIME-Version: 1\.0\r\n/);
    }
  });

  it("each mail of a job with several entries, whose headers are its own", async () => {
    const [to, bcc, other] = [newRecipient(), newRecipient(), newRecipient()];
    const recipients = [
      { mail: { to: [{ email: to }], bcc: [{ email: bcc }], listUnsubscribe: "https://acme.example/u/1" } },
      { mail: { to: [{ email: other }], xHeaders: { "X-Own": "2" } } },
    ];
    await system.accept(signing, { ...jobOf(signing, []), recipients });
    const [first, hidden, second] = await Promise.all([to, bcc, other].map(receivedBy));
    for (const mail of [first, hidden, second]) expectVerified(mail?.raw ?? Buffer.alloc(0), "Hello");
    for (const mail of [first, hidden]) {
      expect(mail?.text).toContain("\r\nList-Unsubscribe: <https://acme.example/u/1>\r\n");
      // The name of the header at a line's beginning: the Base64 of a signature may well hold these three letters.
      expect(mail?.text).not.toMatch(/^bcc:/im);
      expect(mail?.text).not.toContain(bcc);
    }
    expect(second?.text).toContain("\r\nX-Own: 2\r\n");
    expect(second?.text).not.toContain("List-Unsubscribe");
  });

  it("a mail that carries a DKIM signature over all of it as well", async () => {
    const account = await signingAccount();
    const { body } = await system.control.put<{ dns: { value: string } }>(`${pathOf(account)}/dkim`, {});
    const { raw } = await eventually(async () => {
      const mail = await sentBy(account);
      return mail.text.startsWith("DKIM-Signature:") ? mail : undefined;
    });
    expectVerified(raw, "Hello");
    const { dkimVerify } = await import("mailauth/lib/dkim/verify.js");
    const { results } = await dkimVerify(raw, { resolver: async () => [[body.dns.value]] });
    expect(results.map(({ status }) => status.result)).toEqual(["pass"]);
  });
});

describe("is not signed:", () => {
  it("a mail whose job switches it off, over REST and SMTP", async () => {
    expect(isSigned(await sentBy(signing, { job: { options: { messageSigning: false } } }))).toBe(false);
    expect(isSigned(await sentBy(signing, { job: { options: { messageSigning: true } } }))).toBe(true);
    const recipient = newRecipient();
    const dialog = await openSession(system.smtpPort, signing);
    const message = `From: ${signing.sender}\r\nX-Waypost-MESSAGE-SIGNING-ACTIVE: false\r\n\r\nHello\r\n`;
    await dialog.send({ from: signing.sender, to: [recipient] }, message);
    dialog.close();
    expect(isSigned(await receivedBy(recipient))).toBe(false);
  });

  it("a mail of a sender that the certificate does not cover", async () => {
    const others = { mail: { from: { email: `other@${signing.domain}` } } };
    expect(isSigned(await sentBy(signing, others))).toBe(false);
  });

  it("a mail of a domain without message signing, whatever its job says", async () => {
    const account = await system.account();
    const parts = { job: { options: { messageSigning: true } } };
    expect(isSigned(await sentBy(account, parts))).toBe(false);
    await putDomain(account, { signing: await authority.issue({ address: account.sender }) });
    expect(isSigned(await sentBy(account, parts))).toBe(false);
  });

  it("a mail of a domain that no longer signs", async () => {
    const account = await signingAccount();
    await putDomain(account, { messageSigning: false });
    expect(await eventually(async () => !isSigned(await sentBy(account)))).toBe(true);
  });
});

describe("a mail whose domain changes between relay and signing while it waits", () => {
  const DOWN = { rcode: "SERVFAIL" } as const;
  const UP = () => ({ mx: [{ preference: 10, exchange: mx.host }] });

  async function waitingFor(account: TestAccount): Promise<{ recipient: string; recipientDomain: string }> {
    const recipientDomain = `${uniqueLabel("later")}.example`;
    await system.setDns(recipientDomain, DOWN);
    const recipient = `to@${recipientDomain}`;
    const jobId = await system.accept(account, jobOf(account, [recipient]));
    const [mail] = await system.mailsOf(jobId);
    await eventually(async () => {
      const { body } = await system.control.get<MailRecord>(`/v1/mails/${mail?.mailId}`);
      return body.attempts.length > 0;
    });
    return { recipient, recipientDomain };
  }

  it("is signed once its relay is removed and its domain signs", async () => {
    const account = await system.account();
    const relay = await startMailServer({ script: { rcpt: () => ({ code: 451, text: "4.3.0 later" }) } });
    await system.relay(account, relay);
    const { recipient, recipientDomain } = await waitingFor(account);
    expect((await system.control.delete(`${pathOf(account)}/relay?waiting=reroute`)).status).toBe(200);
    await putDomain(account, { messageSigning: true, signing: await authority.issue({ address: account.sender }) });
    await system.setDns(recipientDomain, UP());
    expectVerified((await receivedBy(recipient)).raw, "Hello");
    await relay.close();
  });

  it("goes to the relay as it is once its domain has one and no longer signs", async () => {
    const account = await signingAccount();
    const { recipient } = await waitingFor(account);
    await putDomain(account, { messageSigning: false });
    const relay = await startMailServer();
    await system.relay(account, relay);
    const relayed = await eventually(() => relay.accepted.find((mail) => mail.to.includes(recipient)));
    expect(isSigned(relayed)).toBe(false);
    await relay.close();
  });
});
