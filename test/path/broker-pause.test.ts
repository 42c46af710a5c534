// A backing service that is away is no bad input: consumption pauses and goes on, and no delivery is spent for it.
import { expect, it } from "vitest";
import type { Delivery } from "#shared/broker/actor.ts";
import { QUEUES } from "#shared/broker/topology.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Numbered } from "#test/support/runtime.ts";
import { collectDeadLetters, numberedContracts, startRuntime, toDue } from "#test/support/runtime.ts";

it("keeps the delivery, begins no other, and handles it again as suspect when the service is back", async () => {
  const { broker } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  let isAway = true;
  let calls = 0;
  const done: Delivery<Numbered>[] = [];
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 2,
    handle: async (delivery) => {
      calls += 1;
      if (isAway) throw new StoreUnavailable("no primary");
      done.push(delivery);
      return { kind: "done", publish: [] };
    },
  });
  await broker.publish([1, 2, 3, 4, 5].map((n) => toDue(n)));
  await eventually(() => calls >= 5);
  expect(done).toEqual([]);
  // Two in hand and polling with growing waits: not a loop that burns.
  expect(calls).toBeLessThan(12);

  isAway = false;

  await eventually(() => done.length === 5);
  expect(
    done
      .filter(({ suspect }) => suspect)
      .map(({ message }) => message.n)
      .toSorted((a, b) => a - b),
  ).toEqual([1, 2]);
  expect(done.every(({ headers }) => headers["x-delivery-count"] === undefined)).toBe(true);
  expect(letters).toEqual([]);
});

it("does the same with batches", async () => {
  const { broker } = await startRuntime();
  let isAway = true;
  let calls = 0;
  const done: Delivery<Numbered>[] = [];
  broker.start<Numbered>({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 10,
    batch: { max: 5, lingerMs: 10 },
    handleBatch: async (deliveries) => {
      calls += 1;
      if (isAway) throw new StoreUnavailable("no primary");
      done.push(...deliveries);
      return deliveries.map(() => ({ kind: "done", publish: [] }));
    },
  });
  await broker.publish([1, 2, 3, 4, 5, 6, 7].map((n) => toDue(n)));
  await eventually(() => calls >= 3);

  isAway = false;

  await eventually(() => done.length === 7);
  expect(done.map(({ message }) => message.n)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

it("gives what it cannot handle to a replica that can, and takes again when it can", async () => {
  const { broker, another } = await startRuntime();
  const well = another();
  const done: string[] = [];
  let isAway = true;
  let calls = 0;
  const start = (at: typeof broker, name: string, prefetch: number) =>
    at.start<Numbered>({
      mailbox: QUEUES.due,
      contracts: numberedContracts,
      prefetch,
      handle: async ({ message, suspect }) => {
        calls += 1;
        if (name === "ill" && isAway) throw new StoreUnavailable("no primary");
        done.push(`${message.n} by the ${name}${suspect ? ", suspect" : ""}`);
        return { kind: "done", publish: [] };
      },
    });
  start(broker, "ill", 2);
  await broker.publish([toDue(1), toDue(2), toDue(3)]);
  await eventually(() => calls >= 2);
  broker.rest(true);
  const other = start(well, "well", 10);
  await eventually(() => done.length === 3);
  await other.cancel();
  isAway = false;
  broker.rest(false);
  await well.publish([toDue(4)]);
  await eventually(() => done.length === 4);
  const expected = ["1 by the well, suspect", "2 by the well, suspect", "3 by the well", "4 by the ill"];
  expect(done.toSorted()).toEqual(expected);
});
