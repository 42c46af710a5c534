// Replicas at one mailbox: the broker fills one before the next, and loses nothing by it.
import { expect, it } from "vitest";
import { z } from "zod";
import type { Broker } from "#shared/broker/actor.ts";
import { QUEUES } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Numbered } from "#test/support/runtime.ts";
import { numberedContracts, startRuntime, toDue } from "#test/support/runtime.ts";

const consumerSchema = z.object({ queue: z.object({ name: z.string() }) });
const isOfDue = ({ queue }: z.infer<typeof consumerSchema>): boolean => queue.name === QUEUES.due;

interface Replica {
  broker: Broker;
  taken: number[];
  /** Ends what is in hand, and whatever comes after it. */
  finish: () => void;
}

function takeAt(broker: Broker): Replica {
  const taken: number[] = [];
  const finished = Promise.withResolvers<void>();
  broker.start<Numbered>({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 2,
    handle: async ({ message }) => {
      taken.push(message.n);
      await finished.promise;
      return { kind: "done", publish: [] };
    },
  });
  return { broker, taken, finish: () => finished.resolve() };
}

async function startReplicas() {
  const { broker, another, management, vhost } = await startRuntime();
  const replicas = [broker, another(), another()].map((each) => takeAt(each));
  await eventually(async () => {
    const consumers = await management.call("GET", `/consumers/${encodeURIComponent(vhost)}`);
    return z.array(consumerSchema).parse(consumers).filter(isOfDue).length === replicas.length;
  });
  return { broker, replicas };
}

const total = (replicas: readonly Replica[]): number => replicas.reduce((sum, { taken }) => sum + taken.length, 0);

it("gives one replica what it has room for", async () => {
  const { broker, replicas } = await startReplicas();
  for (const { finish } of replicas) finish();
  for (let n = 1; n <= 12; n += 1) {
    await broker.publish([toDue(n)]);
    await eventually(() => total(replicas) === n);
  }
  expect(replicas.filter(({ taken }) => taken.length > 0)).toHaveLength(1);
});

it("gives the others what one has no room for, and all of it when that one goes", async () => {
  const { broker, replicas } = await startReplicas();
  await broker.publish([1, 2, 3, 4, 5].map((n) => toDue(n)));
  await eventually(() => total(replicas) === 5);
  expect(replicas.map(({ taken }) => taken.length).toSorted((a, b) => a - b)).toEqual([1, 2, 2]);

  const first = replicas.find(({ taken }) => taken.includes(1));
  const others = replicas.filter((replica) => replica !== first);
  for (const { finish } of replicas) finish();
  await first?.broker.close(1_000);
  await others[0]?.broker.publish([6, 7, 8].map((n) => toDue(n)));

  await eventually(() => total(replicas) === 8);
  expect(new Set(others.flatMap(({ taken }) => taken)).isSupersetOf(new Set([6, 7, 8]))).toBe(true);
});
