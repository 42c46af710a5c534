import { metrics } from "@opentelemetry/api";
import type { Histogram, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterAll, expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createMessagingTelemetry } from "./messaging.ts";

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const provider = new MeterProvider({ readers: [reader] });
metrics.setGlobalMeterProvider(provider);
afterAll(async () => {
  metrics.disable();
  await provider.shutdown();
});

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

it("a clock that is set back while a message is handled gives no wrong duration", async () => {
  let nowMs = 10_000_000;
  const telemetry = createMessagingTelemetry({ clock: { ...systemClock, nowMs: () => nowMs } });
  const batch = telemetry.startConsumeBatch([
    { message: {}, queue: "q", headers: {}, properties: {}, content: Buffer.alloc(0), suspect: false } as never,
  ]);
  nowMs -= 3_600_000;
  telemetry.endConsumeBatch(batch);
  telemetry.endPublish({ exchange: "e", routingKey: "", type: "t", body: {} }, undefined, { seconds: -3_600 });
  await reader.forceFlush();
  const sums = Object.values(sumsOf(exporter.getMetrics()));
  expect(sums).toHaveLength(2);
  for (const sum of sums)
    expect(sum).toSatisfy((value: number | undefined) => value !== undefined && value >= 0 && value < 60);
});
