// Content (design, Content and secrets that travel): a large body is stored once, whatever the number of its mails, and no
// process holds more than a few copies of it.
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connectStore } from "#shared/store/connection.ts";
import { createLog } from "#shared/log.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

const SERVICES = ["ingest", "router", "delivery", "notifier"] as const;
const ATTACHMENT_BYTES = 5_000_000;
/** What a copy of it is as MIME. */
const COPY_BYTES = ATTACHMENT_BYTES * 1.37;
/**
 * Beside each other in ingest: the text of the request, its parsed value, the bytes of the attachment, the MIME and what the driver sends;
 * and of those what is garbage already, which is collected late on a busy machine (9 in all were seen).
 */
const A_FEW = 10;
const RECIPIENTS = 1_000;
/** These get the mail; the relay refuses the others before DATA, for the test's time. */
const SERVED = 10;

let system: System;
let relay: MailServer;
let account: TestAccount;

beforeAll(async () => {
  system = await startSystem();
  relay = await startMailServer({
    script: {
      rcpt: (address) =>
        Number(/\d+/.exec(address)?.[0]) < SERVED ? undefined : { code: 550, text: "5.7.1 not served" },
    },
  });
  account = await system.account();
  await system.relay(account, relay, { maxConnections: 5 });
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

async function bytesOf(service: (typeof SERVICES)[number], field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${system.process(service).pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1_024;
}

/** By how much each process grew at most over what it held before. */
async function growthOf(work: () => Promise<unknown>): Promise<number[]> {
  for (const service of SERVICES) await writeFile(`/proc/${system.process(service).pid}/clear_refs`, "5");
  const before = await Promise.all(SERVICES.map((service) => bytesOf(service, "VmRSS")));
  await work();
  const peaks = await Promise.all(SERVICES.map((service) => bytesOf(service, "VmHWM")));
  return peaks.map((bytes, index) => Math.max(0, bytes - (before[index] ?? 0)));
}

/** A job to all recipients; resolves with its mails when they have ended. */
async function sendToAll(label: string, attachmentBytes: number) {
  const recipients = Array.from({ length: RECIPIENTS }, (_, index) => `${index}-${label}@recipient.example`);
  const content = Buffer.alloc(attachmentBytes, "attachment").toString("base64");
  const job = jobOf(account, recipients, { attachments: [{ name: "large.bin", content }] });
  const jobId = await system.accept(account, job);
  return eventually(async () => {
    const all = await system.mailsOf(jobId, RECIPIENTS);
    return all.every(({ state }) => state === "FINISHED") ? all : undefined;
  }, 120_000);
}

it("stores a large body once for 1,000 recipients, and no process holds more than a few copies", async () => {
  await sendToAll("warm", 100);
  const small = await growthOf(() => sendToAll("small", 100));
  const large = await growthOf(() => sendToAll("large", ATTACHMENT_BYTES));
  const served = relay.accepted.filter(({ to }) => to[0]?.endsWith("-large@recipient.example"));
  expect(served).toHaveLength(SERVED);

  const copies = large.map((bytes, index) => Math.round((bytes - (small[index] ?? 0)) / COPY_BYTES));
  expect(Math.max(...copies), `copies in ${SERVICES.join(", ")}: ${copies.join(", ")}`).toBeLessThanOrEqual(A_FEW);

  const store = connectStore(system.mongodbUri, createLog("test", "silent"));
  const chunks = await store
    .collection<{ _id: string; data: { length(): number } }>("contents")
    .find({ bytes: { $gt: ATTACHMENT_BYTES } })
    .toArray();
  await store.close();
  expect(new Set(chunks.map(({ _id }) => _id.split("/")[0])).size).toBe(1);
  expect(chunks.reduce((sum, { data }) => sum + data.length(), 0)).toBeLessThan(COPY_BYTES * 1.01);
}, 300_000);
