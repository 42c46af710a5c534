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

interface Place {
  system: System;
  relay: MailServer;
}

/** One is flooded; the other, on the same machine, broker and database, tells what a mail takes there meanwhile. */
let flooded: Place;
let spared: Place;

async function startPlace(): Promise<Place> {
  return { system: await startSystem(), relay: await startMailServer() };
}

beforeAll(async () => {
  [flooded, spared] = await Promise.all([startPlace(), startPlace()]);
});
afterAll(async () => {
  for (const { system, relay } of [flooded, spared]) {
    await relay.close();
    await system.stop();
  }
});

/** Milliseconds from the submission of a single mail to its arrival at the relay. */
async function timeToRelay({ system, relay }: Place, account: TestAccount): Promise<number> {
  const to = `${uniqueLabel("single")}@recipient.example`;
  const started = performance.now();
  await system.accept(account, jobOf(account, [to]));
  await eventually(() => relay.recipients.includes(to), 60_000);
  return performance.now() - started;
}

async function patientAccount({ system, relay }: Place): Promise<TestAccount> {
  const account = await system.account();
  await system.relay(account, relay);
  return account;
}

const medianOf = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1] ?? Infinity;

/** Submits as fast as it can while the work runs. */
async function whileFlooding<T>(account: TestAccount, work: () => Promise<T>): Promise<T> {
  const { system } = flooded;
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

async function floodingAccount(): Promise<TestAccount> {
  const { system } = flooded;
  const account = await system.account();
  await system.relay(account, { host: "nowhere.relay.test", port: 1 });
  for (let sent = 0; sent < WAITING; sent += 1_000) {
    const recipients = Array.from({ length: 1_000 }, (_, index) => ({ email: `r${sent + index}@recipient.example` }));
    await system.accept(account, { ...jobOf(account, []), recipients: [{ mail: { bcc: recipients } }] });
  }
  return account;
}

it("relays a single mail within 250 ms (median of 50) while another account floods and has 20,000 mails waiting", async () => {
  const [beset, alone] = [await patientAccount(flooded), await patientAccount(spared)];
  const times: { beside: number[]; alone: number[] } = { beside: [], alone: [] };
  await whileFlooding(await floodingAccount(), async () => {
    for (let count = 0; count < SINGLES; count += 1) {
      times.alone.push(await timeToRelay(spared, alone));
      times.beside.push(await timeToRelay(flooded, beset));
    }
  });
  // On a machine that has no time for anybody, twice what it takes there without a flood of its own.
  const aloneMs = medianOf(times.alone);
  expect(medianOf(times.beside), `alone ${Math.round(aloneMs)} ms`).toBeLessThan(Math.max(250, 2 * aloneMs));
}, 240_000);
