// A certificate that is about to expire is told of; one that has expired stops the signing and so the sending (contract,
// Message Signing). Expiry is put into the database, for the API takes no certificate that is not valid.
import { afterAll, beforeAll, expect, it } from "vitest";
import { createLog } from "#shared/log.ts";
import { connectStore } from "#shared/store/connection.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { issueCertificate, newSigningKeys } from "#test/support/signing-certificate.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { MailRecord, TestAccount } from "#test/support/system-client.ts";

let system: System;
let mx: MailServer;
const recipientDomain = `${uniqueLabel("signed")}.example`;

beforeAll(async () => {
  system = await startSystem();
  mx = await startMailServer({ port: system.mxPort });
  system.dns.set(recipientDomain, { mx: [{ preference: 10, exchange: mx.host }] });
});
afterAll(async () => {
  await mx.close();
  await system.stop();
});

const pathOf = ({ name, domain }: TestAccount): string => `/v1/accounts/${name}/domains/${domain}`;

async function inDatabase<T>(work: (store: ReturnType<typeof connectStore>) => Promise<T>): Promise<T> {
  const store = connectStore(system.mongodbUri, createLog("test", "silent"));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

interface Signing {
  account: TestAccount;
  privateKey: string;
  keys: Awaited<ReturnType<typeof newSigningKeys>>;
}

async function signingAccount(daysLeft: number): Promise<Signing> {
  const account = await system.account();
  const keys = await newSigningKeys();
  const material = await issueCertificate({ address: account.sender, daysLeft, keys });
  const { status } = await system.control.put(pathOf(account), { messageSigning: true, signing: material });
  expect(status).toBe(200);
  return { account, privateKey: material.privateKey, keys };
}

async function sendFrom(account: TestAccount): Promise<{ recipient: string; mail: MailRecord }> {
  const recipient = `${uniqueLabel("to")}@${recipientDomain}`;
  const jobId = await system.accept(account, jobOf(account, [recipient]));
  const [mail] = await system.mailsOf(jobId);
  return { recipient, mail: await system.ended(mail?.mailId ?? "") };
}

const endOf = ({ mail }: { mail: MailRecord }) => mail.trackingPoints.at(-1)?.meta.event;
const isSigned = (recipient: string): boolean =>
  mx.accepted.some(({ to, text }) => to.includes(recipient) && text.includes("multipart/signed"));

it("an expired certificate ends its mails unsent, with an alarm; others go on", async () => {
  const { account, keys } = await signingAccount(100);
  await eventually(async () => isSigned((await sendFrom(account)).recipient));
  const { certificate } = await issueCertificate({ address: account.sender, isExpired: true, keys });
  await inDatabase(({ db }) =>
    db.collection("domains").updateOne({ domain: account.domain }, { $set: { "signing.certificate": certificate } }),
  );

  const failed = await eventually(async () => {
    const sent = await sendFrom(account);
    return endOf(sent)?.subType === "PROCESSING_FAILED" ? sent : undefined;
  });
  expect(endOf(failed)).toMatchObject({ phase: "PROCESS", state: "FINISHED", type: "DROPPED" });
  expect(endOf(failed)?.description).toMatch(/cannot be signed: the certificate expired on \d{4}-/);
  expect(mx.mails.some(({ to }) => to.includes(failed.recipient))).toBe(false);
  const query = new URLSearchParams({ account: account.name, from: account.sender, to: failed.recipient });
  const explained = await system.control.get<{ because: string[] }>(`/v1/explain?${query.toString()}`);
  expect(explained.body).toMatchObject({ dropped: { subType: "PROCESSING_FAILED" } });
  expect(explained.body.because.at(-1)).toBe(endOf(failed)?.description);
  expect(system.logs("router")).toContainEqual(
    expect.objectContaining({ level: "error", event: "signing.failed", problem: expect.stringContaining("expired") }),
  );
  expect(await system.metrics("router")).toMatch(/^waypost_router_unsigned_total(\{[^}]*\})? [1-9]/m);

  const other = await system.account();
  expect(endOf(await sendFrom(other))?.type).toBe("DELIVERED");
  const shown = await system.control.get(pathOf(account));
  expect(shown.body).toMatchObject({ signing: { warning: expect.stringContaining("has expired") } });

  const replica = await system.addReplica("control");
  await eventually(() =>
    system
      .logs("control", replica)
      .some(
        ({ level, event, domain }) =>
          level === "error" && event === "control.certificate_expired" && domain === account.domain,
      ),
  );
  const gauge = new RegExp(`^waypost_signing_certificate_expiry[a-z_]*\\{[^}]*${account.domain}[^}]*\\} -`, "m");
  await eventually(async () => gauge.test(await system.metrics("control", replica)));
});

it("one that expires within 30 days signs, and shows as a warning and a metric", async () => {
  const { account } = await signingAccount(29);
  const { account: later } = await signingAccount(31);
  const shown = await system.control.get(pathOf(account));
  expect(shown.body).toMatchObject({ signing: { warning: expect.stringContaining("expires within 30 days") } });
  expect((await system.control.get(pathOf(later))).body).not.toMatchObject({ signing: { warning: expect.anything() } });
  await eventually(async () => isSigned((await sendFrom(account)).recipient));

  const replica = await system.addReplica("control");
  const warned = (domain: string): boolean =>
    system
      .logs("control", replica)
      .some((line) => line["event"] === "control.certificate_expires" && line["domain"] === domain);
  await eventually(() => warned(account.domain));
  expect(warned(later.domain)).toBe(false);
  const gauge = new RegExp(
    `^waypost_signing_certificate_expiry[a-z_]*\\{[^}]*${account.domain}[^}]*\\} 25[01]\\d{4}`,
    "m",
  );
  await eventually(async () => gauge.test(await system.metrics("control", replica)));
});

it("the key is in no answer, and nowhere in clear in the database", async () => {
  const { account, privateKey } = await signingAccount(100);
  const secret = privateKey.split("\n")[1] ?? "";
  expect(secret.length).toBeGreaterThan(40);
  const answers = await Promise.all(
    [pathOf(account), `/v1/accounts/${account.name}/domains`, "/v1/audit", "/metrics"].map((path) =>
      system.control.get(path),
    ),
  );
  const again = await system.control.put(pathOf(account), { messageSigning: true });
  expect(again.body).toMatchObject({ signing: { addresses: [account.sender] } });
  const stored = await inDatabase(async ({ db }) => {
    const collections = await db.listCollections().toArray();
    const all = await Promise.all(collections.map(({ name }) => db.collection(name).find().toArray()));
    return JSON.stringify(all);
  });
  expect(stored).toContain(account.domain);
  for (const text of [...answers, again].map((answer) => JSON.stringify(answer.body)).concat(stored)) {
    expect(text).not.toContain(secret);
    expect(text).not.toMatch(/PRIVATE KEY/);
  }
});

it("a mail that waited unsigned when its domain began to sign is signed before it goes", async () => {
  const account = await system.account();
  const first = await sendFrom(account);
  expect([endOf(first)?.type, isSigned(first.recipient)]).toEqual(["DELIVERED", false]);
  await system.kill("delivery", { signal: "SIGTERM" });
  const recipient = `${uniqueLabel("to")}@${recipientDomain}`;
  const jobId = await system.accept(account, jobOf(account, [recipient]));
  const [mail] = await system.mailsOf(jobId);
  await eventually(async () => {
    const { body } = await system.control.get<MailRecord>(`/v1/mails/${mail?.mailId}`);
    return body.trackingPoints.at(-1)?.meta.event.subType === "PROCESSING_FINISHED";
  });
  const material = await issueCertificate({ address: account.sender });
  expect((await system.control.put(pathOf(account), { messageSigning: true, signing: material })).status).toBe(200);
  await system.restart("delivery");
  const ended = await system.ended(mail?.mailId ?? "");
  expect(endOf({ mail: ended })?.type).toBe("DELIVERED");
  expect(isSigned(recipient)).toBe(true);
  expect(ended.trackingPoints.map(({ meta }) => meta.event.type)).toEqual(["STARTED", "PROCESSED", "DELIVERED"]);
});
