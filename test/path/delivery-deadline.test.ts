// No attempt after a mail's deadline, and its final soft bounce within a minute of it: on time in a suspended lane as well.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually } from "#test/support/eventually.ts";
import type { HostileServer } from "#test/support/hostile-mail-server.ts";
import { startHostileServer } from "#test/support/hostile-mail-server.ts";

let system: DeliverySystem;
const servers: HostileServer[] = [];

beforeAll(async () => {
  system = await startDeliverySystem({
    env: {
      WAYPOST_RETRY_SCHEDULE: "1s,6s",
      WAYPOST_SMTP_TIMEOUTS: "connect=30s,greeting=30s,command=30s,data=30s,dot=2s,total=60s",
    },
  });
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await system.stop();
});

async function handWithDeadline(behaviour: HostileServer["behaviour"], deadlineMs: number, count = 1) {
  const relay = await startHostileServer(behaviour);
  servers.push(relay);
  const account = await system.account();
  await system.relay(account, relay);
  const recipients = Array.from({ length: count }, (_, index) => `r${index}@recipient.example`);
  const deadline = Date.now() + deadlineMs;
  const ids = await system.hand(account, { recipients, deadlineMs });
  return { relay, ids, deadline };
}

it("abandons an attempt unsent that is under way at the deadline", async () => {
  const { ids, deadline } = await handWithDeadline({ rcpt: { kind: "hang" } }, 3_000);
  const mail = await system.ended(ids[0] ?? "", 20_000);
  const last = mail.trackingPoints.at(-1)?.meta.event;
  expect(last).toMatchObject({ type: "BOUNCED", subType: "SOFT_BOUNCE" });
  expect(Date.parse(last?.ts ?? "")).toBeGreaterThanOrEqual(deadline - 1_000);
  expect(Date.parse(last?.ts ?? "")).toBeLessThan(deadline + 5_000);
  expect(mail.attempts.every((attempt) => attempt.uncertain !== true)).toBe(true);
});

it("ends mails of a suspended lane at their deadline", async () => {
  const { ids, deadline, relay } = await handWithDeadline({ greeting: { kind: "drop" } }, 6_000, 30);
  const ended = await Promise.all(ids.map((id) => system.ended(id, 30_000)));
  for (const mail of ended) {
    const last = mail.trackingPoints.at(-1)?.meta.event;
    expect(last).toMatchObject({ type: "BOUNCED", subType: "SOFT_BOUNCE" });
    expect(Date.parse(last?.ts ?? "")).toBeLessThan(deadline + 10_000);
  }
  const connections = relay.connections;
  await eventually(() => Date.now() > deadline + 3_000);
  expect(relay.connections).toBeLessThanOrEqual(connections + 1);
});

it("waits for the reply to a final dot beyond the deadline, then is uncertain and ends softly", async () => {
  const { ids } = await handWithDeadline({ dot: { kind: "hang" } }, 2_500);
  const mail = await system.ended(ids[0] ?? "", 30_000);
  expect(mail.trackingPoints.at(-1)?.meta.event).toMatchObject({ type: "BOUNCED", subType: "SOFT_BOUNCE" });
  expect(mail.attempts.some((attempt) => attempt.uncertain === true)).toBe(true);
});

it("makes its final attempt at most one shortest tier before the deadline, and none after it", async () => {
  const refusing = { rcpt: { kind: "reply", bytes: "451 4.3.0 later\r\n" } } as const;
  const { ids, deadline } = await handWithDeadline(refusing, 12_000);
  const mail = await system.ended(ids[0] ?? "", 40_000);
  const last = mail.trackingPoints.at(-1)?.meta.event;
  expect(last).toMatchObject({ type: "BOUNCED", subType: "SOFT_BOUNCE" });
  const times = mail.attempts.map((attempt) => Date.parse(attempt.at));
  const final = times.at(-1) ?? 0;
  // One tier of 1 s, and what a busy machine may take for the way back; by the tier of 6 s alone it would be 5 s before.
  expect(deadline - final).toBeLessThan(1_000 + 2_500);
  expect(times.filter((at) => at >= deadline)).toEqual([]);
  expect(times.length).toBeGreaterThanOrEqual(4);
  expect(Date.parse(last?.ts ?? "")).toBeLessThan(deadline + 60_000);
});
