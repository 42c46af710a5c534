import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterAll, expect, it } from "vitest";
import { createIngestMetrics } from "./metrics.ts";
import type { Submission } from "./submission.ts";

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const provider = new MeterProvider({ readers: [reader] });
metrics.setGlobalMeterProvider(provider);
afterAll(async () => {
  metrics.disable();
  await provider.shutdown();
});

it("tells submissions apart by their way in and what came of them", async () => {
  const ingest = createIngestMetrics(() => 1);
  const accepted = { kind: "accepted", jobId: "job-1" } as const;
  for (const way of ["rest", "smtp", "broker"] as const) ingest.count(accepted, { way } as Submission, 5);
  await reader.forceFlush();
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const submissions = all.find(({ descriptor }) => descriptor.name === "waypost.ingest.submissions");
  expect(submissions?.dataPoints.map(({ attributes }) => attributes)).toEqual(
    ["rest", "smtp", "broker"].map((way) => ({ way, outcome: "accepted" })),
  );
});
