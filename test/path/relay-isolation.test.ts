// What is wrong with one relay changes nothing for another: the healthy relay's time stays within 1.5 times of what it has alone.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually } from "#test/support/eventually.ts";
import type { HostileServer } from "#test/support/hostile-mail-server.ts";
import { startHostileServer } from "#test/support/hostile-mail-server.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";

const STEPS = ["greeting", "ehlo", "mail", "rcpt", "data", "dot"] as const;
const PROBES = 60;

interface Place {
  system: DeliverySystem;
  healthy: MailServer;
  account: TestAccount;
}

let alone: Place;
let beset: Place;
const hostile: HostileServer[] = [];

async function startPlace(): Promise<Place> {
  const system = await startDeliverySystem({
    env: { WAYPOST_SMTP_TIMEOUTS: "connect=3s,greeting=5s,command=5s,data=5s,dot=5s,total=20s" },
  });
  const healthy = await startMailServer();
  const account = await system.account();
  await system.relay(account, healthy);
  return { system, healthy, account };
}

beforeAll(async () => {
  [alone, beset] = await Promise.all([startPlace(), startPlace()]);
});
afterAll(async () => {
  await Promise.all(hostile.map((server) => server.close()));
  for (const { system, healthy } of [alone, beset]) {
    await healthy.close();
    await system.stop();
  }
});

/** Milliseconds from the handing over of a single mail to its arrival at the healthy relay. */
async function timeOf({ system, healthy, account }: Place): Promise<number> {
  const before = healthy.accepted.length;
  const start = performance.now();
  await system.hand(account, { recipients: ["probe@recipient.example"] });
  await eventually(() => healthy.accepted.length > before);
  return performance.now() - start;
}

const medianOf = (times: readonly number[]): number =>
  times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? 0;

/** By turns, so that whatever else the machine does at the time weighs on both alike. */
async function medianTimes(): Promise<{ alone: number; beside: number }> {
  const times: { alone: number[]; beside: number[] } = { alone: [], beside: [] };
  for (let probe = 0; probe < PROBES; probe += 1) {
    times.alone.push(await timeOf(alone));
    times.beside.push(await timeOf(beset));
  }
  return { alone: medianOf(times.alone), beside: medianOf(times.beside) };
}

it("keeps its pace beside a dead, a hanging, a slow and an endless one", async () => {
  await medianTimes();
  const behaviours = [
    ...STEPS.map((step) => ({ [step]: { kind: "hang" as const } })),
    { ehlo: { kind: "trickle" as const } },
    { ehlo: { kind: "flood" as const, megabytes: 16 } },
  ];
  for (const behaviour of behaviours) hostile.push(await startHostileServer(behaviour));
  const dead = { host: "127-9-9-9.relay.test", port: 9 };
  for (const target of [dead, ...hostile]) {
    const other = await beset.system.account();
    await beset.system.relay(other, target);
    const recipients = Array.from({ length: 50 }, (_, index) => `r${index}@recipient.example`);
    await beset.system.hand(other, { recipients });
  }
  await eventually(() => hostile.every((server) => server.connections > 0));
  const found = await medianTimes();
  expect(found.beside).toBeLessThan(found.alone * 1.5 + 10);
});
