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
const PROBES = 40;

let system: DeliverySystem;
let healthy: MailServer;
let account: TestAccount;
const hostile: HostileServer[] = [];

beforeAll(async () => {
  system = await startDeliverySystem({
    env: { WAYPOST_SMTP_TIMEOUTS: "connect=3s,greeting=5s,command=5s,data=5s,dot=5s,total=20s" },
  });
  healthy = await startMailServer();
  account = await system.account();
  await system.relay(account, healthy);
});
afterAll(async () => {
  await Promise.all(hostile.map((server) => server.close()));
  await healthy.close();
  await system.stop();
});

/** Median of the milliseconds from the handing over of single mails to their arrival at the healthy relay. */
async function medianTime(): Promise<number> {
  const times: number[] = [];
  for (let probe = 0; probe < PROBES; probe += 1) {
    const before = healthy.accepted.length;
    const start = performance.now();
    await system.hand(account, { recipients: [`probe${probe}@recipient.example`] });
    await eventually(() => healthy.accepted.length > before);
    times.push(performance.now() - start);
  }
  return times.toSorted((one, other) => one - other)[Math.floor(PROBES / 2)] ?? 0;
}

it("keeps its pace beside a dead, a hanging, a slow and an endless one", async () => {
  await medianTime();
  const alone = await medianTime();
  const behaviours = [
    ...STEPS.map((step) => ({ [step]: { kind: "hang" as const } })),
    { ehlo: { kind: "trickle" as const } },
    { ehlo: { kind: "flood" as const, megabytes: 16 } },
  ];
  for (const behaviour of behaviours) hostile.push(await startHostileServer(behaviour));
  const dead = { host: "127-9-9-9.relay.test", port: 9 };
  for (const target of [dead, ...hostile]) {
    const other = await system.account();
    await system.relay(other, target);
    const recipients = Array.from({ length: 50 }, (_, index) => `r${index}@recipient.example`);
    await system.hand(other, { recipients });
  }
  await eventually(() => hostile.every((server) => server.connections > 0));
  const beside = await medianTime();
  // Whatever else the machine does at the time weighs on all three alike.
  await Promise.all(hostile.map((server) => server.close()));
  const after = await medianTime();
  expect(beside).toBeLessThan(Math.max(alone, after) * 1.5 + 10);
});
