// Publishing: confirmed, mandatory, with its content as it is, and its marks.
import { expect, it } from "vitest";
import type { Delivery } from "#shared/broker/actor.ts";
import { EXCHANGES, laneMailboxes, QUEUES } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Numbered } from "#test/support/runtime.ts";
import { numberedContracts, startRuntime, toDue } from "#test/support/runtime.ts";

it("declares the mailbox of a lane that a message finds missing, and publishes the message again", async () => {
  const { broker } = await startRuntime();
  const { interactive } = laneMailboxes("delivery.relay.acme.example.com");

  await broker.publish([
    {
      exchange: EXCHANGES.mails,
      routingKey: interactive.name,
      type: "mail",
      body: { version: 1, n: 1 },
      declareIfUnroutable: () => [interactive],
    },
  ]);

  expect(await eventually(() => broker.depth(interactive.name))).toBe(1);
});

it("fails a message that no queue takes, although everything was declared again", async () => {
  const { broker } = await startRuntime();
  const nowhere = { exchange: EXCHANGES.mails, routingKey: "nobody", type: "mail", body: {} };
  await expect(broker.publish([nowhere])).rejects.toMatchObject({ code: "UNROUTABLE" });
});

it("carries JSON and the raw bytes behind it unchanged, line ends and all", async () => {
  const { broker } = await startRuntime();
  const content = Buffer.from([13, 10, 0, 255, 10, 10, 128]);
  const taken: Delivery<Numbered>[] = [];
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async (delivery) => {
      taken.push(delivery);
      return { kind: "done", publish: [] };
    },
  });

  await broker.publish([
    toDue(1, { content, messageId: "m-1", correlationId: "c-1", record: { lane: "x" }, traceparent: TRACEPARENT }),
  ]);

  const delivery = await eventually(() => taken[0]);
  expect(delivery).toMatchObject({
    message: { version: 1, n: 1 },
    suspect: false,
    queue: QUEUES.due,
    properties: { messageId: "m-1", correlationId: "c-1" },
    headers: { "waypost-record": '{"lane":"x"}' },
  });
  expect(delivery.traceparent?.slice(0, 35)).toBe(TRACEPARENT.slice(0, 35));
  expect(delivery.content.equals(content)).toBe(true);
});

it("expires a message by its own time into the mailbox for expired ones, with where and why it died", async () => {
  const { broker } = await startRuntime();
  const { interactive } = laneMailboxes("delivery.relay.acme.example.com");
  await broker.declare([interactive]);
  const taken: Delivery<Numbered>[] = [];
  broker.start({
    mailbox: QUEUES.attempts,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async (delivery) => {
      taken.push(delivery);
      return { kind: "done", publish: [] };
    },
  });

  const message = { exchange: EXCHANGES.mails, routingKey: interactive.name, type: "mail", body: { version: 1, n: 1 } };
  await broker.publish([{ ...message, expirationMs: 50 }]);

  const delivery = await eventually(() => taken[0]);
  expect(delivery.properties).toMatchObject({ deathReason: "expired", deathQueue: interactive.name });
  expect(delivery.type).toBe("mail");
});

it("publishes thousands of messages with their confirms in flight together", async () => {
  const { broker } = await startRuntime();
  const messages = Array.from({ length: 3_000 }, (_, n) => toDue(n));
  await broker.publish(messages);
  expect(await eventually(async () => (await broker.depth(QUEUES.due)) === 3_000)).toBe(true);
});

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
