// A job of 1,000 recipients holds up nothing behind it, and one account's flood does not starve another (design, Ways in).
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

const FLOOD_CLIENTS = 8;
const WAITING = 20_000;
const SINGLES = 50;

let system: System;
let relay: MailServer;

beforeAll(async () => {
  system = await startSystem();
  relay = await startMailServer();
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

/** Milliseconds from the submission of a single mail to its arrival at the relay. */
async function timeToRelay(account: TestAccount): Promise<number> {
  const to = `${uniqueLabel("single")}@recipient.example`;
  const started = performance.now();
  await system.accept(account, jobOf(account, [to]));
  await eventually(() => relay.recipients.includes(to), 60_000);
  return performance.now() - started;
}

async function medianToRelay(account: TestAccount): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < SINGLES; count += 1) times.push(await timeToRelay(account));
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? Infinity;
}

/** Submits as fast as it can while the work runs. */
async function whileFlooding<T>(account: TestAccount, work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const flood = Array.from({ length: FLOOD_CLIENTS }, async () => {
    while (!isOver) await system.submit(account, jobOf(account, ["flood@recipient.example"]));
  });
  try {
    return await work();
  } finally {
    isOver = true;
    await Promise.all(flood);
  }
}

it("relays a single mail within 250 ms (median of 50) while another account floods and has 20,000 mails waiting", async () => {
  const flooding = await system.account();
  await system.relay(flooding, { host: "nowhere.relay.test", port: 1 });
  const patient = await system.account();
  await system.relay(patient, relay);
  await timeToRelay(patient);
  const alone = await medianToRelay(patient);
  for (let sent = 0; sent < WAITING; sent += 1_000) {
    const recipients = Array.from({ length: 1_000 }, (_, index) => ({ email: `r${sent + index}@recipient.example` }));
    await system.accept(flooding, { ...jobOf(flooding, []), recipients: [{ mail: { bcc: recipients } }] });
  }
  const beside = await whileFlooding(flooding, () => medianToRelay(patient));
  // On a machine that has no time for anybody, a few times of what it takes there without the flood.
  expect(beside, `alone ${Math.round(alone)} ms`).toBeLessThan(Math.max(250, 5 * alone));
}, 240_000);
