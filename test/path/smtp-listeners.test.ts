// The SMTP listeners as the environment sets them: another prefix, implicit TLS, own certificate, connections, drain.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { freePort } from "#deploy/local/ports.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { IssuedCertificate } from "#test/support/certificate.ts";
import { createAuthority } from "#test/support/certificate.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { ROOT } from "#test/support/service-process.ts";
import { jobIdIn, openSession, SmtpDialog } from "#test/support/smtp-dialog.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

const MOST_CONNECTIONS = 4;

let system: System;
let relay: MailServer;
let account: TestAccount;
let smtpsPort: number;
let directory: string;
let authority: string;
let pair: IssuedCertificate;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "waypost-smtp-"));
  const issuer = await createAuthority();
  authority = issuer.cert;
  pair = await issuer.issue("smtp.waypost.test");
  await writeFile(join(directory, "cert.pem"), pair.cert);
  await writeFile(join(directory, "key.pem"), pair.key);
  smtpsPort = await freePort();
  system = await startSystem({
    services: ["ingest", "router", "delivery", "control"],
    serviceEnv: {
      ingest: {
        WAYPOST_SMTPS_PORT: String(smtpsPort),
        WAYPOST_SMTP_HEADER_PREFIX: "X-RETARUS-M4A,X-Waypost",
        WAYPOST_SMTP_MAX_CONNECTIONS: String(MOST_CONNECTIONS),
        WAYPOST_SMTP_TLS_CERT: join(directory, "cert.pem"),
        WAYPOST_SMTP_TLS_KEY: join(directory, "key.pem"),
      },
    },
  });
  relay = await startMailServer();
  account = await system.account();
  await system.relay(account, relay);
});
afterAll(async () => {
  await relay.close();
  await system.stop();
  await rm(directory, { recursive: true });
});

const newRecipient = (): string => `${uniqueLabel("to")}@recipient.example`;

it("reads and removes the control headers under the prefixes that are set, and leaves others alone", async () => {
  const recipient = newRecipient();
  const dialog = await openSession(system.smtpPort, account);
  onTestFinished(() => dialog.close());
  const message = "X-RETARUS-M4A-REFERENCE: r1\r\nX-Waypost-COST-CENTER: c\r\nX-Other-REFERENCE: r2\r\n\r\n";
  jobIdIn(await dialog.send({ from: account.sender, to: [recipient] }, message));
  const { text } = await eventually(() => relay.mails.find((mail) => mail.to.includes(recipient)));
  expect(text.toLowerCase()).not.toMatch(/x-retarus-m4a|x-waypost/);
  expect(text).toContain("\r\nX-Other-REFERENCE: r2\r\n");
  const bad = "x-retarus-m4a-message-signing-active: perhaps\r\n\r\n";
  const reply = await dialog.send({ from: account.sender, to: [recipient] }, bad);
  expect(reply).toMatchObject({ code: 554, text: expect.stringContaining("X-RETARUS-M4A-MESSAGE-SIGNING-ACTIVE") });
});

it("takes TLS from the first byte on WAYPOST_SMTPS_PORT", async () => {
  const dialog = await SmtpDialog.open(smtpsPort, { tls: true });
  onTestFinished(() => dialog.close());
  expect((await dialog.reply()).code).toBe(220);
  const { lines } = await dialog.command("EHLO client.example");
  expect(lines).toContain("AUTH PLAIN LOGIN");
  expect(lines).not.toContain("STARTTLS");
  expect((await dialog.plain(account)).code).toBe(235);
  jobIdIn(await dialog.send({ from: account.sender, to: [newRecipient()] }, "Subject: s\r\n\r\n"));
});

async function handshake(options: object): Promise<string> {
  const socket = connectTls({ host: "127.0.0.1", port: smtpsPort, ...options });
  onTestFinished(() => void socket.destroy());
  return new Promise((resolve) => {
    socket.once("secureConnect", () => resolve(socket.getProtocol() ?? ""));
    socket.once("error", (error) => resolve(error.message));
  });
}

it("shows the certificate that is set", async () => {
  expect(await handshake({ ca: authority, servername: "smtp.waypost.test" })).toBe("TLSv1.3");
});

it("speaks TLS 1.2 at least", async () => {
  const old = { rejectUnauthorized: false, minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" };
  expect(await handshake(old)).toMatch(/version/i);
  expect(await handshake({ rejectUnauthorized: false, maxVersion: "TLSv1.2" })).toBe("TLSv1.2");
});

it("takes so many connections from one address, others go on, and a closed one makes place", async () => {
  const open = (localAddress: string): Promise<SmtpDialog> => SmtpDialog.open(system.smtpPort, { localAddress });
  const dialogs = await Promise.all(Array.from({ length: MOST_CONNECTIONS }, () => open("127.77.9.1")));
  onTestFinished(() => {
    for (const dialog of dialogs) dialog.close();
  });
  for (const dialog of dialogs) expect((await dialog.reply()).code).toBe(220);
  expect((await (await open("127.77.9.1")).reply()).code).toBe(421);
  const other = await open("127.77.9.2");
  expect((await other.reply()).code).toBe(220);
  other.close();
  dialogs[0]?.close();
  await eventually(async () => {
    const next = await open("127.77.9.1");
    const { code } = await next.reply();
    next.close();
    return code === 220;
  });
});

it.each(["QUIT", "a cut connection"])("counts no session that STARTTLS began and %s ended", async (end) => {
  const codes: number[] = [];
  for (let sessions = 0; sessions <= MOST_CONNECTIONS; sessions += 1) {
    const dialog = await SmtpDialog.open(system.smtpPort, { localAddress: "127.77.9.3" });
    codes.push((await dialog.reply()).code);
    await dialog.command("EHLO client.example");
    await dialog.startTls();
    if (end === "QUIT") await dialog.command("QUIT");
    dialog.close();
  }
  expect(new Set(codes)).toEqual(new Set([220]));
});

it("SIGTERM: ends idle sessions, finishes the message in hand, exits 0", async () => {
  const [idle, busy] = [await SmtpDialog.open(system.smtpPort), await openSession(system.smtpPort, account)];
  await idle.reply();
  await busy.envelope({ from: account.sender, to: [newRecipient()] });
  busy.write("Subject: in hand\r\n\r\n");
  const ingest = system.process("ingest");
  ingest.signal("SIGTERM");
  expect(await idle.reply()).toMatchObject({ code: 421, enhanced: "4.3.2" });
  busy.write(".\r\n");
  jobIdIn(await busy.reply());
  expect((await busy.reply()).code).toBe(421);
  expect((await ingest.exited).code).toBe(0);
  await system.restart("ingest");
});

async function startWith(env: Record<string, string>): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, ["services/ingest/main.ts"], {
    cwd: ROOT,
    env: { ...system.process("ingest").definition.env, ...env },
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => child.once("exit", (code) => resolve({ code, stderr })));
}

it.each([
  ["WAYPOST_SMTP_TLS_CERT", { WAYPOST_SMTP_TLS_CERT: "/nowhere/cert.pem" }],
  ["WAYPOST_SMTP_TLS_KEY", { WAYPOST_SMTP_TLS_KEY: "" }],
  ["WAYPOST_SMTP_TLS_KEY", { WAYPOST_SMTP_TLS_KEY: "package.json" }],
  ["WAYPOST_SMTP_TLS_KEY", { WAYPOST_SMTP_TLS_CERT: "/nowhere/cert.pem", WAYPOST_SMTP_TLS_KEY: "/nowhere/key.pem" }],
])("a TLS file that is none: exit 78 and a line that names %s", async (name, env) => {
  const { code, stderr } = await startWith(env);
  expect(code).toBe(78);
  expect(stderr).toContain(name);
});
