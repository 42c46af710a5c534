// Starts OpenTelemetry for one service: the standard OTEL_* variables decide what is exported; Prometheus text is always
// there for /metrics. The SDK with its exporters is loaded only where there is something to export.
import { context, diag, DiagLogLevel, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import type { Resource } from "@opentelemetry/resources";
import type { MetricReader } from "@opentelemetry/sdk-metrics";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { Exported, OtelVariables } from "./exported.ts";
import { exportedSignals } from "./exported.ts";
import { createIdsOnlyTracerProvider } from "./ids-only.ts";
import { createPropagator } from "./propagators.ts";
import { createPushReaders } from "./push-metrics.ts";
import { createResource } from "./resource.ts";

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
  const { service, variables, log, clock } = options;
  logDiagnostics(options);
  const exported = exportedSignals(variables, warn);
  const resource = createResource(service, variables);
  await resource.waitForAsyncAttributes?.();
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const readers: MetricReader[] = [prometheus, ...(await createPushReaders(exported, { variables, warn, log }))];
  const meterProvider = new MeterProvider({ resource, readers });
  metrics.setGlobalMeterProvider(meterProvider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(await createPropagator(variables, warn));
  const flushTraces = await startTraces(options, { exported, resource });
  const stop = async (): Promise<void> => void (await Promise.allSettled([flushTraces(), meterProvider.shutdown()]));
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    metricsText: async () => serializer.serialize((await prometheus.collect()).resourceMetrics),
    shutdown: async (timeoutMs) => {
      const over = new AbortController();
      const late = clock.sleep(timeoutMs, over.signal).catch(() => undefined);
      await Promise.race([stop(), late]);
      over.abort();
    },
  };
}

const warn = (message: string): void => diag.warn(message);

/** Spans are recorded where they are exported; elsewhere they only have ids. The SDK is loaded where it is needed. */
async function startTraces(
  { variables, log, clock }: TelemetryOptions,
  { exported, resource }: { exported: Exported; resource: Resource },
): Promise<() => Promise<void>> {
  if (exported.traces.length === 0) {
    trace.setGlobalTracerProvider(createIdsOnlyTracerProvider(clock));
    return async () => undefined;
  }
  const { createTracerProvider } = await import("./traces.ts");
  const provider = await createTracerProvider(resource, exported, { variables, warn, log });
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown();
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
