// The breaker: faults of a relay suspend its lane, single probes try it, the first success lets it run again; replicas tell each other.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: DeliverySystem;

beforeAll(async () => {
  system = await startDeliverySystem({
    replicas: { delivery: 2 },
    env: { WAYPOST_RETRY_SCHEDULE: "3s,30s" },
  });
});
afterAll(() => system.stop());

async function deadRelay(settings = {}): Promise<{ relay: MailServer; account: TestAccount; lane: string }> {
  const relay = await startMailServer();
  const account = await system.account();
  await system.relay(account, relay, settings);
  await relay.close();
  return { relay, account, lane: `delivery.relay.${account.name}.${account.domain}` };
}

async function laneOf(account: TestAccount) {
  const { body } = await system.control.get<{
    lane: { state: string; depth: number; since?: string; reason?: string };
  }>(`/v1/accounts/${account.name}/domains/${account.domain}/relay`);
  return body.lane;
}

const recipients = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `r${index}@recipient.example`);

it("suspends after five faults in a row, says since when and why, and drains once the relay is back", async () => {
  const { relay, account, lane } = await deadRelay();
  const ids = await system.hand(account, { recipients: recipients(300) });
  const state = await eventually(async () => {
    const seen = await laneOf(account);
    return seen.state === "suspended" ? seen : undefined;
  });
  expect(state.since).toBeDefined();
  expect(state.reason).toContain("ECONNREFUSED");
  const listed = await system.control.get<{ items: { account: string; lane: object }[] }>("/v1/relays?limit=100");
  // Its since may be another replica's, which suspends the lane a moment later.
  expect(listed.body.items.find((item) => item.account === account.name)?.lane).toMatchObject({
    state: "suspended",
    since: expect.any(String),
    reason: expect.stringContaining("ECONNREFUSED"),
  });
  const attempted = [0, 1].flatMap((replica) =>
    system.logs("delivery", replica).filter((line) => line["event"] === "delivery.attempted" && line["lane"] === lane),
  );
  expect(attempted.length).toBeLessThan(60);
  for (const replica of [0, 1]) {
    await eventually(() => system.logs("delivery", replica).some((line) => line["event"] === "lane.suspended"));
    const figure = new RegExp(`^waypost_lane_state\\{(?=[^}]*lane="${lane}")(?=[^}]*state="suspended")[^}]*\\} 1`, "m");
    await eventually(async () => figure.test(await system.metrics("delivery", replica)));
  }
  await relay.listen();
  await eventually(() => new Set(relay.recipients).size === ids.length, 40_000);
  await eventually(async () => (await laneOf(account)).state === "active");
  expect(relay.recipients).toHaveLength(ids.length);
  await relay.close();
});

it("tells each mail that waits once, and leaves it in its lane", async () => {
  const { relay, account } = await deadRelay();
  const ids = await system.hand(account, { recipients: recipients(300) });
  await eventually(async () => (await laneOf(account)).state === "suspended");
  const last = ids.at(-1) ?? "";
  const mail = await system.seen(last, (seen) =>
    seen.trackingPoints.some((point) => point.meta.event.type === "DEFERRED"),
  );
  const told = mail.trackingPoints.filter((point) => point.meta.event.type === "DEFERRED");
  expect(told).toHaveLength(1);
  expect(told[0]?.meta.event.description).toContain("waiting for the relay");
  expect(mail.attempts).toHaveLength(0);
  await relay.listen();
  expect((await system.ended(last, 40_000)).trackingPoints.at(-1)?.meta.event.type).toBe("DELIVERED");
  await relay.close();
});
