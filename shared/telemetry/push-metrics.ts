// Readers that push metrics (OTEL_METRICS_EXPORTER); their exporters are loaded only when there is somewhere to push to.
import type { AggregationOption, AggregationSelector, PushMetricExporter } from "@opentelemetry/sdk-metrics";
import { AggregationType, InstrumentType, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { Log } from "#shared/log.ts";
import type { Exported, OtelVariables, OtlpProtocol, Warn } from "./exported.ts";
import { createLogMetricExporter } from "./log-exporters.ts";

const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 30_000;

interface Preference {
  aggregationPreference: AggregationSelector;
}

const EXPORTERS: Readonly<Record<OtlpProtocol, (preference: Preference) => Promise<PushMetricExporter>>> = {
  grpc: async (preference) =>
    new (await import("@opentelemetry/exporter-metrics-otlp-grpc")).OTLPMetricExporter(preference),
  "http/json": async (preference) =>
    new (await import("@opentelemetry/exporter-metrics-otlp-http")).OTLPMetricExporter(preference),
  "http/protobuf": async (preference) =>
    new (await import("@opentelemetry/exporter-metrics-otlp-proto")).OTLPMetricExporter(preference),
};

const AS_DEFINED: AggregationOption = { type: AggregationType.DEFAULT };
const HISTOGRAMS: Readonly<Record<string, AggregationOption>> = {
  explicit_bucket_histogram: AS_DEFINED,
  base2_exponential_bucket_histogram: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
};

/** The SDK's exporters do not read this variable. */
export function histogramsOf(variables: OtelVariables, warn: Warn): AggregationSelector {
  const variable = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
  const named = variables[variable]?.trim().toLowerCase() ?? "explicit_bucket_histogram";
  const chosen = Object.hasOwn(HISTOGRAMS, named) ? HISTOGRAMS[named] : undefined;
  if (chosen === undefined) warn(`${variable}: ${named} left out: ${Object.keys(HISTOGRAMS).join(", ")}`);
  return (instrument) => (instrument === InstrumentType.HISTOGRAM ? (chosen ?? AS_DEFINED) : AS_DEFINED);
}

export async function createPushReaders(
  exported: Exported,
  { variables, warn, log }: { variables: OtelVariables; warn: Warn; log: Log },
): Promise<PeriodicExportingMetricReader[]> {
  const exportIntervalMillis = positive(variables["OTEL_METRIC_EXPORT_INTERVAL"]) ?? DEFAULT_INTERVAL_MS;
  const timeoutMs = positive(variables["OTEL_METRIC_EXPORT_TIMEOUT"]) ?? DEFAULT_TIMEOUT_MS;
  const exportTimeoutMillis = Math.min(timeoutMs, exportIntervalMillis);
  const readers: PeriodicExportingMetricReader[] = [];
  for (const name of exported.metrics) {
    const exporter =
      name === "otlp"
        ? await EXPORTERS[exported.metricsProtocol]({ aggregationPreference: histogramsOf(variables, warn) })
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
