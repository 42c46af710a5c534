// Suspect: whoever does what can't be undone knows that a copy may exist (design, Rules of the actor runtime 4).
import { expect, it } from "vitest";
import type { Delivery } from "#shared/broker/actor.ts";
import { EXCHANGES, QUEUES } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Numbered } from "#test/support/runtime.ts";
import { numberedContracts, startRuntime, toDue } from "#test/support/runtime.ts";

it("marks what follows from a redelivered message, and what follows from that", async () => {
  const { broker, another } = await startRuntime();
  const first = another();
  const begun = Promise.withResolvers<void>();
  first.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: () => {
      begun.resolve();
      return new Promise(() => undefined);
    },
  });
  await broker.publish([toDue(1)]);
  await begun.promise;
  await first.close(0);

  const last: Delivery<Numbered>[] = [];
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async ({ message }) => ({
      kind: "done",
      publish: [{ exchange: EXCHANGES.attempts, routingKey: "deferred", type: "mail", body: message }],
    }),
  });
  broker.start({
    mailbox: QUEUES.attempts,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async ({ message }) => ({
      kind: "done",
      publish: [{ exchange: EXCHANGES.jobs, routingKey: "bulk", type: "mail", body: message }],
    }),
  });
  broker.start({
    mailbox: QUEUES.jobsBulk,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async (delivery) => {
      last.push(delivery);
      return { kind: "done", publish: [] };
    },
  });

  expect((await eventually(() => last[0])).suspect).toBe(true);
});

it("does not mark what follows from a first delivery", async () => {
  const { broker } = await startRuntime();
  const last: Delivery<Numbered>[] = [];
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async (delivery) => {
      last.push(delivery);
      return { kind: "done", publish: [] };
    },
  });
  await broker.publish([toDue(1)]);
  expect((await eventually(() => last[0])).suspect).toBe(false);
});
