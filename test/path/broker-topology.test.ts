// The table in shared/broker/topology.ts is what stands in the broker.
import { expect, it } from "vitest";
import { laneMailboxes, notifyTier, TOPOLOGY, waitTier } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import { startRuntime } from "#test/support/runtime.ts";

interface Named {
  name: string;
}
interface Queue extends Named {
  durable: boolean;
  /** Of one process only: what it listens with. */
  exclusive: boolean;
  arguments: Record<string, unknown>;
}
interface Exchange extends Named {
  type: string;
  durable: boolean;
}
interface Binding {
  source: string;
  destination: string;
  routing_key: string;
}

const byName = (a: Named, b: Named): number => a.name.localeCompare(b.name);
const asText = (source: string, key: string, queue: string): string => `${source} --${key}--> ${queue}`;

it("declares every exchange, queue and binding of the table, and nothing else", async () => {
  const { broker, management, vhost } = await startRuntime();
  const lane = laneMailboxes("delivery.relay.acme.example.com");
  await broker.declare([lane.interactive, lane.bulk]);
  await broker.declareTier(waitTier(60_000));
  await broker.declareTier(notifyTier(5_000));
  const at = encodeURIComponent(vhost);
  const wantedQueues = [
    ...TOPOLOGY.queues,
    lane.interactive,
    lane.bulk,
    waitTier(60_000).queue,
    notifyTier(5_000).queue,
  ];
  const wantedExchanges = [...TOPOLOGY.exchanges, waitTier(60_000).exchange];

  const queues = await eventually(async () => {
    const found = ((await management.call("GET", `/queues/${at}`)) as Queue[]).filter(({ exclusive }) => !exclusive);
    return found.length >= wantedQueues.length ? found : undefined;
  });
  const exchanges = (await management.call("GET", `/exchanges/${at}`)) as Exchange[];
  const bindings = (await management.call("GET", `/bindings/${at}`)) as Binding[];

  expect(queues.map(({ name, durable, arguments: args }) => ({ name, durable, args })).sort(byName)).toEqual(
    wantedQueues.map(({ name, arguments: args }) => ({ name, durable: true, args })).sort(byName),
  );
  expect(
    exchanges
      .filter(({ name }) => name !== "" && !name.startsWith("amq."))
      .map(({ name, type, durable }) => ({ name, type, durable }))
      .sort(byName),
  ).toEqual(wantedExchanges.map(({ name, type, durable }) => ({ name, type, durable })).sort(byName));
  expect(
    bindings
      .filter(({ source, destination }) => source !== "" && !destination.startsWith("amq.gen"))
      .map((binding) => asText(binding.source, binding.routing_key, binding.destination))
      .sort(),
  ).toEqual(
    wantedQueues
      .flatMap((queue) => queue.bindings.map(({ exchange, routingKey }) => asText(exchange, routingKey, queue.name)))
      .sort(),
  );
});
