// The tracer provider as the OTEL_* variables describe it: exporters, sampler, limits, batches. Only what is used is
// loaded: the whole SDK for Node costs every process 15 MB and 130 ms more.
import type { Resource } from "@opentelemetry/resources";
import type { Sampler, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Log } from "#shared/log.ts";
import type { Exported, OtelVariables, OtlpProtocol, Warn } from "./exported.ts";
import { createLogSpanExporter } from "./log-exporters.ts";

type CreateExporter = () => Promise<SpanExporter>;

/** Each reads its endpoint, headers, certificates, compression and timeout from the variables by itself. */
const OTLP: Readonly<Record<OtlpProtocol, CreateExporter>> = {
  grpc: async () => new (await import("@opentelemetry/exporter-trace-otlp-grpc")).OTLPTraceExporter(),
  "http/json": async () => new (await import("@opentelemetry/exporter-trace-otlp-http")).OTLPTraceExporter(),
  "http/protobuf": async () => new (await import("@opentelemetry/exporter-trace-otlp-proto")).OTLPTraceExporter(),
};

export async function createTracerProvider(
  resource: Resource,
  exported: Exported,
  { variables, warn, log }: { variables: OtelVariables; warn: Warn; log: Log },
): Promise<TracerProvider> {
  const spanProcessors: SpanProcessor[] = [];
  for (const name of exported.traces) {
    const processor =
      name === "console"
        ? new SimpleSpanProcessor({ exporter: createLogSpanExporter(log) })
        : await batchProcessorFor(name, exported, variables);
    if (processor !== undefined) spanProcessors.push(processor);
  }
  return new TracerProvider({
    resource,
    sampler: samplerOf(variables, warn),
    spanLimits: limitsOf(variables),
    spanProcessors,
  });
}

async function batchProcessorFor(
  name: string,
  exported: Exported,
  variables: OtelVariables,
): Promise<SpanProcessor | undefined> {
  const exporter =
    name === "otlp"
      ? await OTLP[exported.tracesProtocol]()
      : name === "zipkin"
        ? new (await import("@opentelemetry/exporter-zipkin")).ZipkinExporter()
        : undefined;
  if (exporter === undefined) return undefined;
  return new BatchSpanProcessor({
    exporter,
    ...present("maxQueueSize", numberOf(variables, "OTEL_BSP_MAX_QUEUE_SIZE")),
    ...present("scheduledDelayMillis", numberOf(variables, "OTEL_BSP_SCHEDULE_DELAY")),
    ...present("exportTimeoutMillis", numberOf(variables, "OTEL_BSP_EXPORT_TIMEOUT")),
    ...present("maxExportBatchSize", numberOf(variables, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE")),
  });
}

const DEFAULT_SAMPLER = "parentbased_always_on";
const SAMPLERS: Readonly<Record<string, (ratio: () => number) => Sampler>> = {
  always_on: () => new AlwaysOnSampler(),
  always_off: () => new AlwaysOffSampler(),
  traceidratio: (ratio) => new TraceIdRatioBasedSampler(ratio()),
  [DEFAULT_SAMPLER]: () => new ParentBasedSampler({ root: new AlwaysOnSampler() }),
  parentbased_always_off: () => new ParentBasedSampler({ root: new AlwaysOffSampler() }),
  parentbased_traceidratio: (ratio) => new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio()) }),
};

export function samplerOf(variables: OtelVariables, warn: Warn): Sampler {
  const named = variables["OTEL_TRACES_SAMPLER"]?.trim().toLowerCase() ?? DEFAULT_SAMPLER;
  const ratio = (): number => ratioOf(variables["OTEL_TRACES_SAMPLER_ARG"], warn);
  const create = Object.hasOwn(SAMPLERS, named) ? SAMPLERS[named] : undefined;
  if (create !== undefined) return create(ratio);
  warn(`OTEL_TRACES_SAMPLER: ${named} is none of ${Object.keys(SAMPLERS).join(", ")}: ${DEFAULT_SAMPLER} counts`);
  return new ParentBasedSampler({ root: new AlwaysOnSampler() });
}

function ratioOf(text: string | undefined, warn: Warn): number {
  if (text === undefined) return 1;
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  warn(`OTEL_TRACES_SAMPLER_ARG: ${text} is no number from 0 to 1: 1 counts`);
  return 1;
}

function limitsOf(variables: OtelVariables): Record<string, number> {
  const read = (...names: readonly string[]): number | undefined =>
    names.map((name) => numberOf(variables, name)).find((value) => value !== undefined);
  return {
    ...present("attributeCountLimit", read("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")),
    ...present(
      "attributeValueLengthLimit",
      read("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    ),
    ...present("eventCountLimit", read("OTEL_SPAN_EVENT_COUNT_LIMIT")),
    ...present("linkCountLimit", read("OTEL_SPAN_LINK_COUNT_LIMIT")),
    ...present("attributePerEventCountLimit", read("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")),
    ...present("attributePerLinkCountLimit", read("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")),
  };
}

function numberOf(variables: OtelVariables, name: string): number | undefined {
  const text = variables[name];
  const value = Number(text);
  return text !== undefined && text.trim() !== "" && value > 0 ? value : undefined;
}

function present<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, number>);
}
