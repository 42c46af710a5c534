// A second message hidden in a first: refused whole, whatever server on the way would have taken the bait.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { anyText } from "#test/support/any-text.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { CommonSystem } from "#test/support/common-system.ts";
import { commonSystem } from "#test/support/common-system.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { jobIdIn, openSession, SmtpDialog } from "#test/support/smtp-dialog.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: CommonSystem;
let relay: MailServer;
let account: TestAccount;

beforeAll(async () => {
  system = await commonSystem();
  relay = await startMailServer();
  account = await system.account();
  await system.relay(account, relay);
});
afterAll(() => relay.close());

async function session(): Promise<SmtpDialog> {
  const dialog = await eventually(() => openSession(system.smtpPort, account));
  onTestFinished(() => dialog.close());
  return dialog;
}

const newRecipient = (): string => `${uniqueLabel("to")}@recipient.example`;

describe("an end of data that is none", () => {
  it.each([
    ["LF . LF", "\n.\n"],
    ["LF . CRLF", "\n.\r\n"],
    ["CRLF . LF", "\r\n.\n"],
    ["CR . CR", "\r.\r"],
    ["CR . CRLF", "\r.\r\n"],
    ["CRLF . CR", "\r\n.\r"],
    ["CRLF . CRCRLF", "\r\n.\r\r\n"],
    ["CR NUL LF . CRLF", "\r\0\n.\r\n"],
  ])("%s ends nothing: one message, refused", async (_, sequence) => {
    const dialog = await session();
    const [first, smuggled] = [newRecipient(), newRecipient()];
    expect((await dialog.envelope({ from: account.sender, to: [first] })).code).toBe(354);
    const hidden = `MAIL FROM:<${account.sender}>\r\nRCPT TO:<${smuggled}>\r\nDATA\r\nSubject: smuggled\r\n\r\n`;
    dialog.write(Buffer.from(`Subject: one\r\n\r\nHello${sequence}${hidden}\r\n.\r\nNOOP\r\n`, "latin1"));
    expect(await dialog.reply()).toMatchObject({ code: 550, enhanced: "5.5.2" });
    expect((await dialog.reply()).code).toBe(250);
    jobIdIn(await dialog.send({ from: account.sender, to: [first] }, "Subject: after\r\n\r\n"));
    await eventually(() => relay.recipients.includes(first));
    expect(relay.recipients).not.toContain(smuggled);
    expect(relay.mails.filter((mail) => mail.to.includes(first))).toHaveLength(1);
  });

  it("is not made by where the bytes are cut", async () => {
    const dialog = await session();
    expect((await dialog.envelope({ from: account.sender, to: [newRecipient()] })).code).toBe(354);
    for (const piece of ["Subject: a\r\n\r\n", ".", ".\r", "\n", "..", "\r\n", "\r\n.", "\r", "\n"]) {
      dialog.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await dialog.reply()).code).toBe(250);
  });
});

describe("a command line that ends in LF or CR alone", () => {
  it.each(["NOOP\n", "NOOP\nNOOP\r\n", "NOOP\rNOOP\r\n", `MAIL FROM:<a@b.example>\n`])(
    "%j ends the session",
    async (line) => {
      const dialog = await session();
      dialog.write(line);
      expect(await dialog.reply()).toMatchObject({ code: 500, enhanced: "5.5.2" });
      expect((await dialog.reply()).code).toBe(0);
    },
  );

  it("cannot begin a message behind STARTTLS: what was sent in clear is forgotten", async () => {
    const dialog = await SmtpDialog.open(system.smtpPort);
    onTestFinished(() => dialog.close());
    await dialog.reply();
    await dialog.command("EHLO client.example");
    await dialog.startTls("EHLO injected.example\r\nMAIL FROM:<injected@foreign.example>");
    expect((await dialog.command("NOOP")).lines).toEqual(["OK"]);
    expect(await dialog.command("MAIL FROM:<>")).toMatchObject({ code: 503, text: expect.stringContaining("EHLO") });
  });
});

it("answers whatever bytes a client sends, and takes the next client", async () => {
  const words = ["EHLO x", "HELO x", "MAIL FROM:<>", "RCPT TO:<a@b.example>", "DATA", "AUTH PLAIN", "AUTH LOGIN ="];
  words.push(
    "RSET",
    "QUIT",
    "BDAT 1",
    "VRFY",
    "STARTTLS x",
    "MAIL FROM:<a@b> SIZE=x",
    "XCLIENT ADDR=1.2.3.4",
    "__proto__",
  );
  const word = fc.constantFrom(...words);
  const line = fc.oneof(word, anyText(), fc.string({ maxLength: 40 }));
  const property = fc.asyncProperty(fc.array(line, { maxLength: 15 }), async (lines) => {
    const dialog = await SmtpDialog.open(system.smtpPort);
    expect((await dialog.reply()).code).toBe(220);
    dialog.write(`${lines.join("\r\n")}\r\nQUIT\r\n`);
    let reply = await dialog.reply();
    for (; reply.code !== 0 && reply.code !== 221 && reply.code !== 421; reply = await dialog.reply()) {
      expect(reply.code).toBeGreaterThanOrEqual(200);
      expect(reply.text).not.toContain("internal server error");
    }
    dialog.close();
  });
  await fc.assert(property, { numRuns: 60, endOnFailure: true });
  expect((await session()).isClosed).toBe(false);
});
