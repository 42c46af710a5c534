import { expect, it } from "vitest";
import {
  destinationTemplate,
  EXCHANGES,
  eventRoutingKey,
  laneMailboxes,
  notifyTier,
  QUEUES,
  TOPOLOGY,
  waitTier,
} from "./topology.ts";

const every = [
  ...TOPOLOGY.queues,
  ...Object.values(laneMailboxes("delivery.mx.1")),
  waitTier(60_000).queue,
  notifyTier(5_000).queue,
];

it.each(every.map((queue) => [queue.name, queue] as const))(
  "%s is a quorum queue that loses nothing",
  (name, queue) => {
    expect(queue.arguments["x-queue-type"]).toBe("quorum");
    expect(queue.arguments["x-delivery-limit"]).toBeGreaterThan(20);
    expect(queue.arguments["x-expires"]).toBeUndefined();
    if (name === QUEUES.deadLetters) return;
    expect(queue.arguments["x-dead-letter-strategy"]).toBe("at-least-once");
    expect(queue.arguments["x-overflow"]).toBe("reject-publish");
    const exchanges = [...TOPOLOGY.exchanges, waitTier(60_000).exchange].map((exchange) => exchange.name);
    expect(exchanges).toContain(queue.arguments["x-dead-letter-exchange"]);
  },
);

it("binds every queue to an exchange of the table", () => {
  const known = [...TOPOLOGY.exchanges, waitTier(60_000).exchange].map((exchange) => exchange.name);
  for (const queue of every) {
    expect(queue.bindings.length).toBeGreaterThan(0);
    for (const binding of queue.bindings) expect(known).toContain(binding.exchange);
  }
});

it("names tiers after their time, keeping the lane's name as the key through the wait", () => {
  const { exchange, queue } = waitTier(300_000);
  expect(exchange).toMatchObject({ name: "waypost.wait.5m", type: "fanout" });
  expect(queue).toMatchObject({
    name: "retry-scheduler.wait.5m",
    arguments: { "x-message-ttl": 300_000, "x-dead-letter-exchange": EXCHANGES.due },
  });
  expect(queue.arguments["x-dead-letter-routing-key"]).toBeUndefined();
});

it("has no account, domain or address in the template of a lane", () => {
  expect(destinationTemplate("delivery.relay.acme.example.com")).toBe("delivery.relay.{account}.{domain}");
  expect(destinationTemplate("delivery.mx.ip.192.0.2.1")).toBe("delivery.mx.ip.{address}");
  expect(destinationTemplate("delivery.mx.7.bulk")).toBe("delivery.mx.{shard}");
  expect(destinationTemplate("router.due")).toBe("router.due");
});

it("writes the key of an event in lower case", () => {
  expect(eventRoutingKey("acme", { type: "BOUNCED", subType: "HARD_BOUNCE" })).toBe("acme.bounced.hard_bounce");
});
