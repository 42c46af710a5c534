// A queue deleted under a running system is declared and consumed again within 30 s.
import { connect } from "amqplib";
import { expect, it, onTestFinished } from "vitest";
import type { Broker } from "#shared/broker/actor.ts";
import { recreatedMessage } from "#shared/broker/recreations.ts";
import type { QueueSpec } from "#shared/broker/topology.ts";
import { EXCHANGES, laneMailboxes, QUEUES, ROUTING_KEYS, TOPOLOGY } from "#shared/broker/topology.ts";
import { testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";
import { numberedContracts, startRuntime, toDue } from "#test/support/runtime.ts";

const RECREATED_MS = 30_000;
const DUE = TOPOLOGY.queues.find(({ name }) => name === QUEUES.due) as QueueSpec;

/** Somebody who deletes a queue and declares it again in the same moment: its consumers become ghosts. */
async function replace(vhost: string, queue: QueueSpec): Promise<void> {
  const url = new URL(testBacking().amqpUrl.split(",")[0] ?? "");
  url.pathname = `/${encodeURIComponent(vhost)}`;
  const connection = await connect(url.href);
  onTestFinished(() => connection.close());
  const channel = await connection.createChannel();
  await channel.deleteQueue(queue.name);
  await channel.assertQueue(queue.name, { durable: true, arguments: queue.arguments });
  for (const { exchange, routingKey } of queue.bindings) await channel.bindQueue(queue.name, exchange, routingKey);
}

function startDue(broker: Broker, prefetch: number): Set<number> {
  const taken = new Set<number>();
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch,
    handle: async ({ message }) => {
      taken.add(message.n);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { kind: "done", publish: [] };
    },
  });
  return taken;
}

async function startLane(broker: Broker) {
  const { interactive } = laneMailboxes("delivery.relay.acme.example.com");
  const taken: number[] = [];
  const lane = broker.startPaused(
    {
      mailbox: interactive.name,
      contracts: numberedContracts,
      prefetch: 1,
      handle: async ({ message }) => {
        taken.push(message.n);
        return { kind: "done", publish: [] };
      },
    },
    interactive,
  );
  await lane.resume(5);
  const mail = (n: number) => ({
    exchange: EXCHANGES.mails,
    routingKey: interactive.name,
    type: "mail",
    body: { version: 1, n },
    declareIfUnroutable: () => [interactive],
  });
  return { interactive, taken, mail };
}

it("goes on under load, deletion after deletion", async () => {
  const { broker, another, management, vhost } = await startRuntime();
  const taken = startDue(another(), 20);
  let n = 0;
  let isLoaded = true;
  const load = async (): Promise<void> => {
    for (; isLoaded; n += 5) await broker.publish([0, 1, 2, 3, 4].map((index) => toDue(n + index)));
  };
  const loaded = Promise.all([load(), load()]);
  for (let round = 1; round <= 5; round += 1) {
    await eventually(() => taken.size > 50 * round);
    await management.call("DELETE", `/queues/${encodeURIComponent(vhost)}/${QUEUES.due}`);
    const last = (n += 1_000_000);
    expect(await eventually(() => [...taken].some((number) => number > last), RECREATED_MS)).toBe(true);
  }
  isLoaded = false;
  await loaded;
  await broker.publish([toDue(-1)]);
  expect(await eventually(() => taken.has(-1))).toBe(true);
});

it("consumes a mailbox again that was deleted and declared in the same moment, of which the broker tells nobody", async () => {
  const { broker, vhost } = await startRuntime();
  const taken = startDue(broker, 10);
  await broker.publish([toDue(1)]);
  await eventually(() => taken.has(1));
  await replace(vhost, DUE);
  await broker.publish([toDue(2)]);
  expect(await eventually(() => taken.has(2), RECREATED_MS)).toBe(true);
});

it("consumes a lane anew when it is told that it was declared again", async () => {
  const { broker, another, vhost } = await startRuntime();
  const { interactive, taken, mail } = await startLane(broker);
  await broker.publish([mail(1)]);
  await eventually(() => taken.length === 1);
  await replace(vhost, interactive);
  await broker.publish([mail(2)]);
  await another().publish([recreatedMessage(interactive.name)]);
  expect(await eventually(() => taken.at(-1) === 2)).toBe(true);
});

it("consumes a deleted mailbox again, its bindings too", async () => {
  const { broker, management, vhost } = await startRuntime();
  const taken: number[] = [];
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async ({ message }) => {
      taken.push(message.n);
      return { kind: "done", publish: [] };
    },
  });
  await broker.publish([toDue(1)]);
  await eventually(() => taken.length === 1);

  await management.call("DELETE", `/queues/${encodeURIComponent(vhost)}/${QUEUES.due}`);

  await broker.publish([toDue(2)]);
  expect(await eventually(() => taken.at(-1) === 2, RECREATED_MS)).toBe(true);
});

it("consumes a deleted lane again", async () => {
  const { broker, management, vhost } = await startRuntime();
  const { interactive, taken, mail } = await startLane(broker);
  await broker.publish([mail(1)]);
  await eventually(() => taken.length === 1);

  await management.call("DELETE", `/queues/${encodeURIComponent(vhost)}/${interactive.name}`);

  await broker.publish([mail(2)]);
  expect(await eventually(() => taken.at(-1) === 2, RECREATED_MS)).toBe(true);
});

it("declares again what nobody consumes: a queue, and an exchange with all its bindings", async () => {
  const { broker, management, vhost } = await startRuntime();
  const at = encodeURIComponent(vhost);
  await management.call("DELETE", `/queues/${at}/${QUEUES.batches}`);
  await management.call("DELETE", `/exchanges/${at}/${EXCHANGES.points}`);
  await eventually(async () => (await broker.depth(QUEUES.batches)) === 0, RECREATED_MS);
  await broker.publish([{ exchange: EXCHANGES.points, routingKey: ROUTING_KEYS.points, type: "event", body: {} }]);
  expect(await eventually(async () => (await broker.depth(QUEUES.events)) === 1)).toBe(true);
});

it("publishes on when an exchange was deleted in the middle of it", async () => {
  const { broker, management, vhost } = await startRuntime();
  await management.call("DELETE", `/exchanges/${encodeURIComponent(vhost)}/${EXCHANGES.due}`);
  await broker.publish(Array.from({ length: 50 }, (_, n) => toDue(n)));
  expect(await eventually(async () => ((await broker.depth(QUEUES.due)) ?? 0) >= 50)).toBe(true);
});
