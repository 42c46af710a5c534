// Connections to a relay: used again and again up to its `maxConnections`, for a sane number of mails each, closed when idle.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually } from "#test/support/eventually.ts";
import { startMailServer } from "#test/support/mail-server.ts";

const MAILS = 450;
const MOST_MAILS = 100;

let system: DeliverySystem;

beforeAll(async () => {
  system = await startDeliverySystem();
});
afterAll(() => system.stop());

it("are no more than it may have, carry at most 100 mails each, and are closed when nothing is left to send", async () => {
  const relay = await startMailServer();
  const account = await system.account();
  await system.relay(account, relay, { maxConnections: 2 });
  const recipients = Array.from({ length: MAILS }, (_, index) => `r${index}@recipient.example`);
  await system.hand(account, { recipients });
  await eventually(() => relay.accepted.length === MAILS, 40_000);
  expect(relay.mostConnections).toBe(2);
  const carried = [...Map.groupBy(relay.accepted, (mail) => mail.connection).values()].map(({ length }) => length);
  expect(Math.max(...carried)).toBeLessThanOrEqual(MOST_MAILS);
  expect(carried.length).toBeLessThan(MAILS / MOST_MAILS + 5);
  await eventually(() => relay.openConnections === 0, 30_000);
  await relay.close();
});
