// Copies of a mail (suspect messages): one of them is sent, the others go on from its outcome.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
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
let relay: MailServer;

beforeAll(async () => {
  system = await startDeliverySystem({ replicas: { delivery: 2 } });
  relay = await startMailServer();
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

/** A lane to the relay, and mails in it as a service would put them there. */
async function laneTo(settings = {}): Promise<(mails: number) => Outgoing[]> {
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
  return (mails) =>
    Array.from({ length: mails }, (_, index) => {
      const recipient = `r${index}@recipient.example`;
      const mail = aMail({ head, mailId: uniqueLabel("mail"), email: recipient, recipient, lane: lane.name });
      return mailToLane({ mail, content: Buffer.from("Hello\r\n") }, now);
    });
}

it("are sent once, whether they come as copies alone or behind the first", async () => {
  const mailsOf = await laneTo();
  const messages = mailsOf(20).map((first, index) => {
    const copy = { ...first, suspect: true };
    return index % 2 === 0 ? [first, copy, copy] : [copy, copy];
  });
  for (const copies of messages) await system.publish(copies);
  await eventually(() => new Set(relay.recipients).size === messages.length, 30_000);
  await never(() => relay.mails.length > messages.length, 8_000);
  expect(relay.mails).toHaveLength(messages.length);
});

it("are sent once where a slow relay lets the first and its copy wait for their place together", async () => {
  const mailsOf = await laneTo({ maxConnections: 1 });
  relay.script = { dot: () => sleep(1_500) };
  const former = relay.mails.length;
  const firsts = mailsOf(12);
  await system.publish(firsts.flatMap((first) => [first, { ...first, suspect: true }]));
  await eventually(() => relay.mails.length >= former + firsts.length, 60_000);
  await never(() => relay.mails.length > former + firsts.length, 12_000);
  expect(relay.mails).toHaveLength(former + firsts.length);
});

it("are sent once where the broker has passed on twice what had waited, and marks neither", async () => {
  const mailsOf = await laneTo();
  const former = relay.mails.length;
  const firsts = mailsOf(20).map((first) => ({ ...first, body: { ...first.body, putBack: true } }));
  await system.publish([...firsts, ...firsts]);
  await eventually(() => relay.mails.length >= former + firsts.length, 30_000);
  await system.publish(firsts);
  await never(() => relay.mails.length > former + firsts.length, 6_000);
  expect(relay.mails).toHaveLength(former + firsts.length);
});
