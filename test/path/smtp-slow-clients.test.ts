// Clients that take for ever: a session ends when its command or its message is not complete in time, however busy the
// line is. In the test's own process, for the times of the product are minutes.
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { freePort } from "#deploy/local/ports.ts";
import { systemClock } from "#shared/clock.ts";
import type { Account } from "#shared/routing/configuration.ts";
import { configurationOf } from "#shared/store/configuration.ts";
import { fixedConfiguration } from "#test/support/fixed-configuration.ts";
import { SmtpDialog } from "#test/support/smtp-dialog.ts";
import type { Smtp } from "../../services/ingest/smtp.ts";
import { startSmtp } from "../../services/ingest/smtp.ts";

const MOST_CONNECTIONS = 10;
const LIMITS = { strangerMs: 300, commandMs: 700, dataMs: 1_000 };
const account: Account = { _id: "acme", customerNo: "1", sourceIps: ["127.0.0.0/8"], limits: { waitingMails: 1 } };
const configuration = configurationOf({
  accounts: [account],
  domains: [{ _id: "acme/acme.example", account: "acme", domain: "acme.example", messageSigning: false }],
});

let smtp: Smtp;
let answerLater = Promise.resolve();

beforeAll(async () => {
  smtp = await startSmtp({
    settings: {
      WAYPOST_BIND: "127.0.0.1",
      WAYPOST_HOSTNAME: "waypost.test",
      WAYPOST_SMTP_PORT: await freePort(),
      WAYPOST_SMTPS_PORT: await freePort(),
      WAYPOST_SMTP_MAX_CONNECTIONS: MOST_CONNECTIONS,
      WAYPOST_SMTP_TLS_CERT: undefined,
      WAYPOST_SMTP_TLS_KEY: undefined,
      WAYPOST_SMTP_HEADER_PREFIX: ["X-Waypost"],
    },
    configuration: fixedConfiguration(configuration),
    authenticator: { byPassword: async () => ({ kind: "known", account }), bySourceIp: () => [account] },
    accept: async () => {
      await answerLater;
      return { kind: "accepted", jobId: "j1" };
    },
    clock: systemClock,
    log: pino({ level: "silent" }),
    limits: LIMITS,
  });
});
afterAll(() => smtp.close());

async function open(tls = false): Promise<SmtpDialog> {
  const dialog = await SmtpDialog.open((tls ? smtp.tlsPort : smtp.port) ?? 0, { tls });
  onTestFinished(() => dialog.close());
  await dialog.reply();
  return dialog;
}

/** Sends a byte every 50 ms until the server has had enough, and gives what it said and after how long. */
async function trickle(dialog: SmtpDialog, bytes: string): Promise<{ code: number; ms: number }> {
  const began = Date.now();
  const timer = setInterval(() => dialog.write(bytes), 50);
  const { code } = await dialog.reply();
  clearInterval(timer);
  return { code, ms: Date.now() - began };
}

const envelope = { from: "a@acme.example", to: ["to@recipient.example"] };

it("ends a session that says nothing", async () => {
  const dialog = await open();
  expect(await dialog.reply()).toMatchObject({ code: 421, enhanced: "4.4.2" });
});

it("ends connections that never begin their TLS, and takes the next ones from there", async () => {
  const silent = Array.from({ length: MOST_CONNECTIONS }, () => connect(smtp.tlsPort ?? 0, "127.0.0.1"));
  onTestFinished(() => silent.forEach((socket) => socket.destroy()));
  await Promise.all(silent.map((socket) => once(socket.resume(), "close")));
  const dialog = await open(true);
  expect((await dialog.command("EHLO client.example")).code).toBe(250);
});

it("gives a client that has logged in an account's time for its next command", async () => {
  const dialog = await open(true);
  await dialog.command("EHLO client.example");
  expect((await dialog.plain({ name: "acme", password: "right" })).code).toBe(235);
  await sleep(LIMITS.strangerMs + 50);
  expect((await dialog.command("NOOP")).code).toBe(250);
});

it("ends a command that never ends", async () => {
  const dialog = await open();
  const { code, ms } = await trickle(dialog, "N");
  expect(code).toBe(421);
  expect(ms).toBeLessThan(1_000);
});

it("ends a message that never ends", async () => {
  const dialog = await open();
  await dialog.command("EHLO client.example");
  await dialog.envelope(envelope);
  const { code, ms } = await trickle(dialog, "a");
  expect(code).toBe(421);
  expect(ms).toBeGreaterThan(LIMITS.strangerMs);
  expect(ms).toBeLessThan(2_000);
});

it("does not end a session that waits for us", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  answerLater = promise;
  const dialog = await open();
  await dialog.command("EHLO client.example");
  const sent = dialog.send(envelope, "Subject: a\r\n\r\n");
  setTimeout(resolve, LIMITS.dataMs + LIMITS.commandMs);
  expect((await sent).code).toBe(250);
});

it("ends a session of a hundred commands without a message", async () => {
  const dialog = await open();
  dialog.write("NOOP\r\n".repeat(110));
  let reply = await dialog.reply();
  while (reply.code === 250) reply = await dialog.reply();
  expect(reply).toMatchObject({ code: 421, enhanced: "4.7.0" });
});

it("does not count the recipients of a mail as commands without a message", async () => {
  const dialog = await open();
  await dialog.command("EHLO client.example");
  await dialog.command("MAIL FROM:<a@acme.example>");
  dialog.write("RCPT TO:<to@recipient.example>\r\n".repeat(120));
  for (let index = 0; index < 120; index += 1) expect((await dialog.reply()).code).toBe(250);
  expect((await dialog.command("RSET")).code).toBe(250);
  expect((await dialog.command("MAIL FROM:<a@acme.example>")).code).toBe(250);
});
