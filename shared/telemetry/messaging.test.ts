import { SpanStatusCode } from "@opentelemetry/api";
import type { Histogram, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import type { Job } from "#shared/broker/worker.ts";
import { recordMetrics } from "#test/support/recorded-metrics.ts";
import { takeSpans } from "#test/support/recorded-spans.ts";
import { createServerNames } from "./broker-servers.ts";
import { createMessagingTelemetry } from "./messaging.ts";

const { exporter, reader } = recordMetrics();

const SERVERS = { publishing: () => ({ "server.address": "a" }), consuming: () => ({ "server.address": "b" }) };

function sumsOf(exported: readonly ResourceMetrics[]): Record<string, number | undefined> {
  const all = exported.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const durations = all.filter(({ descriptor }) => descriptor.name.endsWith(".duration"));
  return Object.fromEntries(
    durations.map(({ descriptor, dataPoints }) => [
      descriptor.name,
      (dataPoints[0]?.value as Histogram | undefined)?.sum,
    ]),
  );
}

function jobFrom(queue: string, traceparent?: string, deliveryTag = 1): Job<unknown> {
  const delivery = { message: {}, queue, exchange: "e", routingKey: "", properties: {}, bytes: 2, suspect: false };
  return { delivery: { ...delivery, traceparent }, held: { raw: { fields: { deliveryTag } } } } as Job<unknown>;
}

/** What was measured last for one destination. */
function pointsOf(name: string, destination: string) {
  const all =
    exporter
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  const found = all.filter(({ descriptor }) => descriptor.name === name);
  const points = found.flatMap(({ dataPoints, descriptor }) =>
    [...dataPoints].map((point) => ({ ...point, unit: descriptor.unit })),
  );
  return points.filter(({ attributes }) => attributes["messaging.destination.template"] === destination);
}

it("a clock that is set back while a message is handled gives no wrong duration", async () => {
  let nowMs = 10_000_000;
  const telemetry = createMessagingTelemetry({ clock: { ...systemClock, nowMs: () => nowMs }, servers: SERVERS });
  const batch = telemetry.startConsumeBatch([jobFrom("q")]);
  nowMs -= 3_600_000;
  telemetry.endConsumeBatch(batch, []);
  telemetry.endPublish({ exchange: "e", routingKey: "", type: "t", body: {} }, undefined, { seconds: -3_600 });
  await reader.forceFlush();
  const sums = Object.values(sumsOf(exporter.getMetrics()));
  expect(sums).toHaveLength(2);
  for (const sum of sums)
    expect(sum).toSatisfy((value: number | undefined) => value !== undefined && value >= 0 && value < 60);
});

it("measures how long a message was out that was given up in the end, and why", async () => {
  const telemetry = createMessagingTelemetry({ clock: systemClock, servers: SERVERS });
  const message = { exchange: "given.up", routingKey: "", type: "t", body: {} };
  telemetry.endPublish(message, undefined, { seconds: 3, error: "abandoned" });
  telemetry.endPublish(message, undefined, { seconds: undefined, error: "abandoned" });
  await reader.forceFlush();
  const [failed] = pointsOf("messaging.client.operation.duration", "given.up");
  expect(failed?.attributes["error.type"]).toBe("abandoned");
  expect(failed?.value).toMatchObject({ count: 1, sum: 3 });
  expect(pointsOf("messaging.client.sent.messages", "given.up")).toEqual([]);
});

it("tells of each message of a batch what became of it, in its own trace", () => {
  const telemetry = createMessagingTelemetry({ clock: systemClock, servers: SERVERS });
  const traceOf = (digit: string): string => digit.repeat(32);
  const jobs = ["a", "b", "c"].map((digit, index) =>
    jobFrom("q", `00-${traceOf(digit)}-b7ad6b7169203331-01`, index + 1),
  );
  takeSpans();
  telemetry.endConsumeBatch(telemetry.startConsumeBatch(jobs), [
    { kind: "done", publish: [] },
    { kind: "park", reason: "a bug" },
  ]);
  const spans = takeSpans();
  const told = ["a", "b", "c"].map((digit) => {
    const span = spans.find((candidate) => candidate.spanContext().traceId === traceOf(digit));
    const { "waypost.verdict": verdict, "error.type": error } = span?.attributes ?? {};
    const tag = span?.attributes["messaging.rabbitmq.message.delivery_tag"];
    return { verdict, error, tag, isError: span?.status.code === SpanStatusCode.ERROR };
  });
  expect(told).toEqual([
    { verdict: "done", error: undefined, tag: 1, isError: false },
    { verdict: "park", error: "park", tag: 2, isError: true },
    { verdict: "lost", error: "lost", tag: 3, isError: true },
  ]);
});

it("measures with the attributes of the conventions, and in their units", async () => {
  const telemetry = createMessagingTelemetry({ clock: systemClock, servers: SERVERS });
  telemetry.endPublish({ exchange: "x", routingKey: "", type: "t", body: {} }, undefined, { seconds: 1 });
  telemetry.countConsumed("y");
  telemetry.endConsume(telemetry.startConsume(jobFrom("y")), { kind: "park", reason: "a bug" });
  await reader.forceFlush();
  const system = { "messaging.system": "rabbitmq" };
  const publish = {
    ...system,
    "messaging.operation.name": "publish",
    "messaging.operation.type": "send",
    "messaging.destination.template": "x",
    "server.address": "a",
  };
  const consume = {
    ...system,
    "messaging.operation.name": "consume",
    "messaging.operation.type": "process",
    "messaging.destination.template": "y",
    "server.address": "b",
  };
  const measured = (name: string, destination: string) =>
    pointsOf(name, destination).map(({ attributes, unit }) => ({ attributes, unit }));
  expect(measured("messaging.client.operation.duration", "x")).toEqual([{ attributes: publish, unit: "s" }]);
  expect(measured("messaging.client.sent.messages", "x")).toEqual([{ attributes: publish, unit: "{message}" }]);
  expect(measured("messaging.client.consumed.messages", "y")).toEqual([{ attributes: consume, unit: "{message}" }]);
  const parked = { ...consume, "error.type": "park" };
  expect(measured("messaging.process.duration", "y")).toEqual([{ attributes: parked, unit: "s" }]);
});

it("counts by the node of the broker that is connected, the one before a failover apart", async () => {
  const serverOf = createServerNames();
  let url = "amqp://one/";
  const telemetry = createMessagingTelemetry({
    clock: systemClock,
    servers: { ...SERVERS, consuming: () => serverOf(url) },
  });
  telemetry.countConsumed("failover");
  url = "amqps://two/";
  telemetry.countConsumed("failover");
  telemetry.countConsumed("failover");
  await reader.forceFlush();
  const points = pointsOf("messaging.client.consumed.messages", "failover");
  expect(
    points.map(({ value, attributes }) => [attributes["server.address"], attributes["server.port"], value]),
  ).toEqual([
    ["one", 5_672, 1],
    ["two", 5_671, 2],
  ]);
});
