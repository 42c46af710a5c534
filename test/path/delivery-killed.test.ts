// kill -9 of a delivery replica in the midst of its attempts: no mail is lost; one goes out twice only where its dot was on its way, and says so.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";

const MAILS = 200;
const CONNECTIONS = 5;

let system: DeliverySystem;
let relay: MailServer;

beforeAll(async () => {
  system = await startDeliverySystem({ replicas: { delivery: 2 } });
  relay = await startMailServer();
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

it("loses none, and doubles none but those in flight", async () => {
  const account = await system.account();
  await system.relay(account, relay, { maxConnections: CONNECTIONS });
  // Each takes a moment, so that there are some under way when the replica dies.
  relay.script = { dot: () => new Promise((resolve) => setTimeout(() => resolve(undefined), 40)) };
  const recipients = Array.from({ length: MAILS }, (_, index) => `r${index}@recipient.example`);
  const ids = await system.hand(account, { recipients });
  await eventually(() => relay.accepted.length > 40);
  await system.kill("delivery", { replica: 0 });
  // Of the replica that died: a place is free again only when the outcome is recorded.
  const inFlightAtMost = CONNECTIONS;
  const ended = await Promise.all(ids.map((id) => system.ended(id, 60_000)));
  for (const mail of ended) {
    const ends = mail.trackingPoints.filter((point) => point.meta.event.state === "FINISHED");
    expect(ends).toHaveLength(1);
    expect(ends[0]?.meta.event.type).toBe("DELIVERED");
  }
  const counts = Map.groupBy(relay.accepted, (mail) => mail.to[0] ?? "");
  const twice = [...counts].filter(([, mails]) => mails.length > 1).map(([to]) => to);
  expect(counts.size).toBe(MAILS);
  expect(twice.length).toBeLessThanOrEqual(inFlightAtMost);
  for (const to of twice) {
    const mail = ended[recipients.indexOf(to)];
    expect(mail?.attempts.some((attempt) => attempt.uncertain === true)).toBe(true);
  }
}, 120_000);

it("hands back what is not past its dot when SIGTERM comes, and records what is as uncertain", async () => {
  await system.restart("delivery");
  const account = await system.account();
  await system.relay(account, relay, { maxConnections: 2 });
  const stuck: (() => void)[] = [];
  let isStuck = true;
  relay.script = {
    dot: () => (isStuck ? new Promise((resolve) => stuck.push(() => resolve(undefined))) : undefined),
  };
  const recipients = Array.from({ length: 12 }, (_, index) => `s${index}@recipient.example`);
  const ids = await system.hand(account, { recipients });
  await eventually(() => stuck.length >= 2);
  await system.kill("delivery", { signal: "SIGTERM" });
  isStuck = false;
  for (const release of stuck) release();
  await system.restart("delivery");
  const ended = await Promise.all(ids.map((id) => system.ended(id, 60_000)));
  expect(ended.every((mail) => mail.trackingPoints.at(-1)?.meta.event.type === "DELIVERED")).toBe(true);
  const uncertain = ended.filter((mail) => mail.attempts.some((attempt) => attempt.uncertain === true));
  expect(uncertain.length).toBeGreaterThanOrEqual(2);
  const counts = Map.groupBy(
    relay.accepted.filter((mail) => mail.to[0]?.startsWith("s")),
    (mail) => mail.to[0] ?? "",
  );
  for (const [to, mails] of counts) {
    if (mails.length === 1) continue;
    expect(uncertain).toContain(ended[recipients.indexOf(to)]);
  }
}, 120_000);
