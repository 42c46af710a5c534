// A queue deleted under a running system is declared and consumed again within 30 s.
import { expect, it } from "vitest";
import { EXCHANGES, laneMailboxes, QUEUES } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import { numberedContracts, startRuntime, toDue } from "#test/support/runtime.ts";

const RECREATED_MS = 30_000;

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
    declareIfUnroutable: [interactive],
  });
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
  await management.call("DELETE", `/exchanges/${at}/${EXCHANGES.events}`);
  await eventually(async () => (await broker.depth(QUEUES.batches)) === 0, RECREATED_MS);
  await broker.publish([{ exchange: EXCHANGES.events, routingKey: "a.delivered.ok", type: "event", body: {} }]);
  expect(await eventually(async () => (await broker.depth(QUEUES.events)) === 1)).toBe(true);
});

it("publishes on when an exchange was deleted in the middle of it", async () => {
  const { broker, management, vhost } = await startRuntime();
  await management.call("DELETE", `/exchanges/${encodeURIComponent(vhost)}/${EXCHANGES.due}`);
  await broker.publish(Array.from({ length: 50 }, (_, n) => toDue(n)));
  expect(await eventually(async () => ((await broker.depth(QUEUES.due)) ?? 0) >= 50)).toBe(true);
});
