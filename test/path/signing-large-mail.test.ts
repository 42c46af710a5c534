// Large mails are signed without several copies in memory: the router hashes them chunk by chunk.
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { SigningAuthority } from "#test/support/signing-certificate.ts";
import { createSigningAuthority, verifyByOpenssl } from "#test/support/signing-certificate.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

const ATTACHMENT_BYTES = 15_000_000;
/** What one copy of it is as MIME: just under the limit of 20 MB. */
const MAIL_BYTES = Math.ceil(ATTACHMENT_BYTES * (78 / 57));
const JOBS = 6;

let system: System;
let mx: MailServer;
let authority: SigningAuthority;
let account: TestAccount;
const recipientDomain = `${uniqueLabel("signed")}.example`;
const recipientOf = (index: number): string => `to${index}@${recipientDomain}`;

beforeAll(async () => {
  [system, authority] = await Promise.all([startSystem(), createSigningAuthority()]);
  mx = await startMailServer({ port: system.mxPort });
  system.dns.set(recipientDomain, { mx: [{ preference: 10, exchange: mx.host }] });
  account = await system.account();
  const material = await authority.issue({ address: account.sender });
  const path = `/v1/accounts/${account.name}/domains/${account.domain}`;
  await system.control.put(path, { messageSigning: true, signing: material });
});
afterAll(async () => {
  await mx.close();
  await system.stop();
});

/** Most memory that the router has had, in bytes. */
async function peakOfRouter(): Promise<number> {
  const status = await readFile(`/proc/${system.process("router").pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}

const received = (recipient: string): Promise<Buffer> =>
  eventually(() => mx.accepted.find(({ to }) => to.includes(recipient))?.raw, 60_000);

it(`signs ${JOBS} mails of 20 MB at once in less memory than a copy of each takes`, async () => {
  await eventually(async () => {
    const warm = `warm-${uniqueLabel("w")}@${recipientDomain}`;
    await system.accept(account, jobOf(account, [warm]));
    return (await received(warm)).includes("multipart/signed");
  });
  const before = await peakOfRouter();

  const content = Buffer.alloc(ATTACHMENT_BYTES, "attachment").toString("base64");
  const attachments = [{ name: "large.bin", content }];
  const recipients = Array.from({ length: JOBS }, (_, index) => recipientOf(index));
  await Promise.all(
    recipients.map((recipient) => system.accept(account, jobOf(account, [recipient], { attachments }))),
  );
  const mails = await Promise.all(recipients.map(received));

  const grown = (await peakOfRouter()) - before;
  expect(grown, `the router grew by ${Math.round(grown / 1e6)} MB`).toBeLessThan(JOBS * MAIL_BYTES);
  for (const raw of mails) expect(verifyByOpenssl(raw, authority.certificate)).toMatchObject({ isValid: true });
  const [first = Buffer.alloc(0)] = mails;
  first.writeUInt8((first[10_000_000] ?? 0) ^ 1, 10_000_000);
  expect(verifyByOpenssl(first, authority.certificate).isValid).toBe(false);
}, 120_000);
