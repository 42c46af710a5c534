// Readers that push metrics (OTEL_METRICS_EXPORTER); their exporters are loaded only when there is somewhere to push to.
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics";
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { Log } from "#shared/log.ts";
import type { Exported, OtelVariables, OtlpProtocol } from "./exported.ts";
import { createLogMetricExporter } from "./log-exporters.ts";

const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 30_000;

const EXPORTERS: Readonly<Record<OtlpProtocol, () => Promise<PushMetricExporter>>> = {
  grpc: async () => new (await import("@opentelemetry/exporter-metrics-otlp-grpc")).OTLPMetricExporter(),
  "http/json": async () => new (await import("@opentelemetry/exporter-metrics-otlp-http")).OTLPMetricExporter(),
  "http/protobuf": async () => new (await import("@opentelemetry/exporter-metrics-otlp-proto")).OTLPMetricExporter(),
};

export async function createPushReaders(
  exported: Exported,
  { variables, log }: { variables: OtelVariables; log: Log },
): Promise<PeriodicExportingMetricReader[]> {
  const exportIntervalMillis = positive(variables["OTEL_METRIC_EXPORT_INTERVAL"]) ?? DEFAULT_INTERVAL_MS;
  const timeoutMs = positive(variables["OTEL_METRIC_EXPORT_TIMEOUT"]) ?? DEFAULT_TIMEOUT_MS;
  const exportTimeoutMillis = Math.min(timeoutMs, exportIntervalMillis);
  const readers: PeriodicExportingMetricReader[] = [];
  for (const name of exported.metrics) {
    const exporter =
      name === "otlp"
        ? await EXPORTERS[exported.metricsProtocol]()
        : name === "console" && createLogMetricExporter(log);
    if (exporter === false) continue;
    readers.push(new PeriodicExportingMetricReader({ exporter, exportIntervalMillis, exportTimeoutMillis }));
  }
  return readers;
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text);
  return text !== undefined && value > 0 ? value : undefined;
}
