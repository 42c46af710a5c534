// Mails that no service will bring to their end any more: one in the dead letters, one that was lost with its queue.
import { connect } from "amqplib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { QUEUES } from "#shared/broker/topology.ts";
import { relayLaneName } from "#shared/routing/lane.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

let system: System;
let relay: MailServer;

beforeAll(async () => {
  system = await startSystem({ env: { WAYPOST_RETRY_DEADLINE: "8s" } });
  relay = await startMailServer();
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

/** An account whose mails wait in their lane: an operator holds it. */
async function heldAccount(): Promise<{ account: TestAccount; lane: string }> {
  const account = await system.account();
  await system.relay(account, relay);
  const path = `/v1/accounts/${account.name}/domains/${account.domain}/relay/suspend`;
  expect((await system.control.post(path)).status).toBe(200);
  return { account, lane: relayLaneName(account.name, account.domain) };
}

async function acceptOne(account: TestAccount): Promise<string> {
  const [mail] = await system.mailsOf(
    await system.accept(account, jobOf(account, [`${uniqueLabel("to")}@example.net`])),
  );
  return mail?.mailId ?? "";
}

/** Takes the mail out of its lane; `elsewhere` puts what it makes of it into another queue. */
async function takeFrom(lane: string, elsewhere?: { queue: string; change(body: string): string }): Promise<void> {
  const connection = await connect(system.amqpUrl);
  const channel = await connection.createConfirmChannel();
  const got = await eventually(() => channel.get(lane, { noAck: true }));
  if (elsewhere !== undefined) {
    const body = Buffer.from(elsewhere.change(got.content.toString()));
    channel.sendToQueue(elsewhere.queue, body, { type: "mail", persistent: true });
    await channel.waitForConfirms();
  }
  await connection.close();
}

it.concurrent(
  "a mail in the dead letters ends at its deadline as PROCESSING_FAILED, and cannot be replayed then",
  async () => {
    const { account, lane } = await heldAccount();
    const mailId = await acceptOne(account);
    const change = (body: string): string => body.replace('"version":1', '"version":99');
    await takeFrom(lane, { queue: QUEUES.due, change });
    const { trackingPoints } = await system.ended(mailId, 25_000);
    expect(trackingPoints.at(-1)?.meta.event).toMatchObject({ type: "DROPPED", subType: "PROCESSING_FAILED" });
    const { body } = await system.control.get<{ items: { id: string; mailId?: string }[] }>(
      `/v1/dead-letters?account=${account.name}`,
    );
    const letter = body.items.find((item) => item.mailId === mailId);
    expect((await system.control.post(`/v1/dead-letters/${letter?.id}/replay`)).status).toBe(409);
  },
);

it.concurrent(
  "a mail that was lost ends a minute after its deadline, and is counted",
  { timeout: 120_000 },
  async () => {
    const { account, lane } = await heldAccount();
    const mailId = await acceptOne(account);
    await takeFrom(lane);
    const { trackingPoints } = await system.ended(mailId, 90_000);
    expect(trackingPoints.at(-1)?.meta.event).toMatchObject({ type: "BOUNCED", subType: "SOFT_BOUNCE" });
    expect(await system.metrics("retry-scheduler")).toMatch(/waypost_swept_total(\{[^}]*\})? 1/);
  },
);
