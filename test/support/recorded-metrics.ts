// Metrics that are measured in a test file without a service, read when it asks.
import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterAll } from "vitest";

/** From here to the end of the file. What is measured shows in the exporter once the reader was flushed. */
export function recordMetrics(): { exporter: InMemoryMetricExporter; reader: PeriodicExportingMetricReader } {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  afterAll(async () => {
    metrics.disable();
    await provider.shutdown();
  });
  return { exporter, reader };
}
