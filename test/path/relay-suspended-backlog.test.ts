// A suspended lane with 20,000 mails costs no CPU and no broker traffic but probes, and begins to drain within its probe
// interval once the relay is back.
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import { mailToLane } from "#shared/contracts/outgoing.ts";
import { aHead, aMail } from "#test/support/build-mail.ts";
import type { DeliverySystem } from "#test/support/delivery.ts";
import { startDeliverySystem } from "#test/support/delivery.ts";
import { eventually } from "#test/support/eventually.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { connectManagement } from "#test/support/management.ts";
import type { TestAccount } from "#test/support/system-client.ts";

const WAITING = 20_000;
const AT_ONCE = 2_000;
const WINDOW_MS = 5_000;
const TICK_MS = 10;
const CONTENT = Buffer.from("Content-Type: text/plain\r\n\r\nHello\r\n");

let system: DeliverySystem;
let relay: MailServer;
let account: TestAccount;
let lane: string;

beforeAll(async () => {
  system = await startDeliverySystem({ env: { WAYPOST_RETRY_SCHEDULE: "10m" } });
  relay = await startMailServer();
  account = await system.account();
  lane = `delivery.relay.${account.name}.${account.domain}`;
  await system.relay(account, relay);
});
afterAll(async () => {
  await relay.close();
  await system.stop();
});

function waitingMail(index: number): MailMessage {
  const now = Date.now();
  const head = aHead({
    jobId: `backlog-${account.name}`,
    account: account.name,
    sender: account.sender,
    envelopeFrom: account.sender,
    from: account.sender,
    receivedTs: new Date(now).toISOString(),
    deadline: new Date(now + 3_600_000).toISOString(),
  });
  const recipient = `r${index}@recipient.example`;
  const content = { kind: "inline", bytes: CONTENT.length } as const;
  return aMail({
    head,
    mailId: mailIdOf(head.jobId, index),
    email: recipient,
    recipient,
    content,
    lane,
    relay: relay.host,
  });
}

/** Puts the mails where the router would put them: 20,000 split jobs would take the test's time. */
async function fillLane(): Promise<void> {
  for (let start = 0; start < WAITING; start += AT_ONCE) {
    const mails = Array.from({ length: AT_ONCE }, (_, index) => waitingMail(start + index));
    await system.publish(mails.map((mail) => mailToLane({ mail, content: CONTENT }, new Date())));
  }
}

/** Processor time of the delivery service so far. */
async function cpuMs(): Promise<number> {
  const stat = await readFile(`/proc/${system.process("delivery").pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function cpuWithin(ms: number): Promise<number> {
  const before = await cpuMs();
  await sleep(ms);
  return (await cpuMs()) - before;
}

const probes = (): number[] =>
  system
    .logs("delivery")
    .filter((line) => line["event"] === "delivery.attempted" && line["lane"] === lane)
    .map((line) => Date.parse(String(line["time"])));

interface QueueFigures {
  messages?: number;
  messages_unacknowledged?: number;
  consumers?: number;
  message_stats?: { deliver?: number; publish?: number };
}

async function figures(): Promise<QueueFigures> {
  const vhost = new URL(system.amqpUrl).pathname.slice(1);
  return (await connectManagement(system.managementUrl).call("GET", `/queues/${vhost}/${lane}`)) as QueueFigures;
}

async function laneState(): Promise<string> {
  const path = `/v1/accounts/${account.name}/domains/${account.domain}/relay`;
  const { body } = await system.control.get<{ lane: { state: string } }>(path);
  return body.lane.state;
}

it("waits at no cost, and drains within its probe interval once the relay is back", async () => {
  const idle = await cpuWithin(WINDOW_MS);
  await relay.close();
  await system.hand(account, {
    recipients: Array.from({ length: 20 }, (_, index) => `first${index}@recipient.example`),
  });
  await eventually(async () => (await laneState()) === "suspended");
  await fillLane();

  const probed = probes().length;
  const suspended = await cpuWithin(WINDOW_MS);
  const inWindow = probes().length - probed;
  expect(suspended, `idle ${idle} ms, suspended ${suspended} ms in ${WINDOW_MS} ms`).toBeLessThan(
    idle + WINDOW_MS / 20,
  );
  expect(inWindow).toBeLessThanOrEqual(4);

  const queue = await eventually(async () => {
    const seen = await figures();
    return seen.consumers === 0 && seen.messages_unacknowledged === 0 && (seen.messages ?? 0) > WAITING - 100
      ? seen
      : undefined;
  });
  const taken = queue.message_stats?.deliver ?? 0;
  expect(taken, `taken ${taken}, probes ${probes().length}, idle ${idle} ms, suspended ${suspended} ms`).toBeLessThan(
    100,
  );
  expect(queue.message_stats?.publish ?? 0).toBeLessThan(WAITING + 100);

  const [before = 0, last = 0] = probes().slice(-2);
  // Each wait is twice the one before; the machine may be busy.
  const interval = 2 * (last - before);
  const back = Date.now();
  await relay.listen();
  await eventually(() => relay.accepted.length > 0, interval + 10_000);
  expect((relay.accepted[0]?.at ?? Infinity) - back).toBeLessThan(interval + 5_000);
  await eventually(() => relay.accepted.length >= 500, 20_000);
  await eventually(async () => (await laneState()) === "active");
}, 90_000);
