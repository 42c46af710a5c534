// Starts OpenTelemetry for one service: the standard OTEL_* variables decide what is exported; Prometheus text is always
// there for /metrics. The SDK with its exporters is loaded only where there is something to export.
import { context, diag, DiagLogLevel, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import type { Resource } from "@opentelemetry/resources";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import type { MetricReader } from "@opentelemetry/sdk-metrics";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { Exported, OtelVariables } from "./exported.ts";
import { exportedSignals } from "./exported.ts";
import { createIdsOnlyTracerProvider } from "./ids-only.ts";
import { createPushReaders } from "./push-metrics.ts";

export interface Telemetry {
  /** All metrics as Prometheus text. */
  metricsText(): Promise<string>;
  /** Sends what is gathered, for at most `timeoutMs`. */
  shutdown(timeoutMs: number): Promise<void>;
}

export interface TelemetryOptions {
  service: string;
  variables: OtelVariables;
  log: Log;
  clock: Clock;
}

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { service, variables, clock } = options;
  const exported = exportedSignals(variables);
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const readers: MetricReader[] = [prometheus, ...(await createPushReaders(exported, variables))];
  const resource = defaultResource().merge(resourceFromAttributes({ "service.name": `waypost-${service}` }));
  const stop = exported.traces
    ? await startSdk(resource, readers)
    : startWithoutTraces(resource, { readers, clock, exported });
  logDiagnostics(options);
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    metricsText: async () => serializer.serialize((await prometheus.collect()).resourceMetrics),
    shutdown: async (timeoutMs) => {
      const over = new AbortController();
      const late = clock.sleep(timeoutMs, over.signal).catch(() => undefined);
      await Promise.race([stop().catch(() => undefined), late]);
      over.abort();
    },
  };
}

/** Everything the OTEL_* variables say of traces: exporter, protocol, sampler, limits, batches, resource. */
async function startSdk(resource: Resource, readers: MetricReader[]): Promise<() => Promise<void>> {
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  const sdk = new NodeSDK({ resource, metricReaders: readers, logRecordProcessors: [] });
  sdk.start();
  return () => sdk.shutdown();
}

function startWithoutTraces(
  resource: Resource,
  parts: { readers: MetricReader[]; clock: Clock; exported: Exported },
): () => Promise<void> {
  const contexts = new AsyncLocalStorageContextManager();
  context.setGlobalContextManager(contexts.enable());
  trace.setGlobalTracerProvider(createIdsOnlyTracerProvider(parts.clock));
  const detected = resource.merge(detectResources({ detectors: [envDetector] }));
  const meterProvider = new MeterProvider({ resource: detected, readers: parts.readers });
  metrics.setGlobalMeterProvider(meterProvider);
  return () => meterProvider.shutdown();
}

/** What the SDK has to say goes where our log goes: nothing else may be on stdout. */
function logDiagnostics({ log, variables }: TelemetryOptions): void {
  const say = (level: "debug" | "info" | "warn") => (message: string) =>
    log[level]({ telemetry: message }, "telemetry");
  const logger = {
    error: say("warn"),
    warn: say("warn"),
    info: say("info"),
    debug: say("debug"),
    verbose: say("debug"),
  };
  const named = variables["OTEL_LOG_LEVEL"]?.toUpperCase();
  const level = Object.entries(DiagLogLevel).find(([name]) => name === named)?.[1];
  diag.setLogger(logger, {
    logLevel: typeof level === "number" ? level : DiagLogLevel.WARN,
    suppressOverrideMessage: true,
  });
}
