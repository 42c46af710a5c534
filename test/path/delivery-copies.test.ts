// Copies of a mail (suspect messages): one of them is sent, the others go on from its outcome.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Outgoing } from "#shared/broker/actor.ts";
import { mailToLane } from "#shared/contracts/outgoing.ts";
import { createLog } from "#shared/log.ts";
import { relayLaneName } from "#shared/routing/lane.ts";
import { systemClock } from "#shared/clock.ts";
import { connectStore } from "#shared/store/connection.ts";
import { createLanes } from "#shared/store/lanes.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { aHead, aMail } from "#test/support/build-mail.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually, never } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";

let system: DeliverySystem;
const relays: MailServer[] = [];

beforeAll(async () => {
  system = await startDeliverySystem({ replicas: { delivery: 2 } });
});
afterAll(async () => {
  for (const relay of relays) await relay.close();
  await system.stop();
});

/** A lane to a relay of its own, and mails in it as a service would put them there. */
async function laneTo({ dot, ...settings }: { dot?: () => Promise<void>; maxConnections?: number } = {}) {
  const relay = await startMailServer({ script: dot === undefined ? {} : { dot } });
  relays.push(relay);
  const account = await system.account();
  await system.relay(account, relay, settings);
  const { name, domain } = account;
  const lane = { kind: "relay", name: relayLaneName(name, domain), account: name, domain } as const;
  const store = connectStore(system.mongodbUri, createLog("test", "silent"));
  await createLanes(store, systemClock, createLog("test", "silent")).ensure(lane);
  await store.close();
  const now = new Date();
  const head = aHead({
    account: name,
    sender: account.sender,
    envelopeFrom: account.sender,
    receivedTs: now.toISOString(),
    deadline: new Date(now.getTime() + 3_600_000).toISOString(),
  });
  const mailsOf = (mails: number): Outgoing[] =>
    Array.from({ length: mails }, (_, index) => {
      const recipient = `r${index}@recipient.example`;
      const mail = aMail({ head, mailId: uniqueLabel("mail"), email: recipient, recipient, lane: lane.name });
      return mailToLane({ mail, content: Buffer.from("Hello\r\n") }, now);
    });
  return { relay, mailsOf };
}

/** What has come when each of the mails is there, and none more for as long as a copy may wait for the outcome of the first. */
async function comeTo(relay: MailServer, mails: number, quietMs: number): Promise<number> {
  await eventually(() => new Set(relay.recipients).size === mails, 60_000);
  await never(() => relay.mails.length > mails, quietMs);
  return relay.mails.length;
}

// Each has a lane and a relay of its own, and they wait side by side.
describe.concurrent("copies", () => {
  it("are sent once, whether they come alone or behind the first", async () => {
    const { relay, mailsOf } = await laneTo();
    const messages = mailsOf(20).map((first, index) => {
      const copy = { ...first, suspect: true };
      return index % 2 === 0 ? [first, copy, copy] : [copy, copy];
    });
    for (const copies of messages) await system.publish(copies);
    expect(await comeTo(relay, messages.length, 8_000)).toBe(messages.length);
  });

  it("are sent once where a slow relay lets the first and its copy wait for their place together", async () => {
    const { relay, mailsOf } = await laneTo({ maxConnections: 1, dot: () => sleep(1_500) });
    const firsts = mailsOf(12);
    await system.publish(firsts.flatMap((first) => [first, { ...first, suspect: true }]));
    expect(await comeTo(relay, firsts.length, 12_000)).toBe(firsts.length);
  });

  it("are sent once where the broker has passed on twice what had waited, and marks neither", async () => {
    const { relay, mailsOf } = await laneTo();
    const firsts = mailsOf(20).map((first) => ({ ...first, body: { ...first.body, putBack: true } }));
    await system.publish([...firsts, ...firsts]);
    await eventually(() => relay.mails.length >= firsts.length, 30_000);
    await system.publish(firsts);
    expect(await comeTo(relay, firsts.length, 6_000)).toBe(firsts.length);
  });
});
