// Which signals are exported, and how: read from the standard OTEL_* variables. No endpoint, nothing is exported.

/** As `openTelemetryVariables` gives them: those that are set, none of them empty. */
export type OtelVariables = Readonly<Record<string, string | undefined>>;
export type Signal = "TRACES" | "METRICS";
export type OtlpProtocol = "grpc" | "http/json" | "http/protobuf";

export interface Exported {
  /** Exporters of spans: `otlp`, `console`, `zipkin`. */
  traces: readonly string[];
  tracesProtocol: OtlpProtocol;
  /** Exporters to push metrics to: `otlp`, `console`. */
  metrics: readonly string[];
  metricsProtocol: OtlpProtocol;
}

const NOTHING: Exported = {
  traces: [],
  tracesProtocol: "http/protobuf",
  metrics: [],
  metricsProtocol: "http/protobuf",
};
const PROTOCOLS: readonly OtlpProtocol[] = ["grpc", "http/json", "http/protobuf"];

export function exportedSignals(variables: OtelVariables): Exported {
  if (variables["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") {
    return NOTHING;
  }
  return {
    traces: exportersOf("TRACES", variables),
    tracesProtocol: protocolOf("TRACES", variables),
    metrics: exportersOf("METRICS", variables),
    metricsProtocol: protocolOf("METRICS", variables),
  };
}

/** The exporters named for a signal; `otlp`, also where none is named, only when an endpoint is known. */
function exportersOf(signal: Signal, variables: OtelVariables): string[] {
  const named = (variables[`OTEL_${signal}_EXPORTER`] ?? "otlp").split(",").map((name) => name.trim());
  const wanted = named.filter((name) => name !== "" && name !== "none" && name !== "prometheus");
  return wanted.filter((name) => name !== "otlp" || hasEndpoint(signal, variables));
}

function hasEndpoint(signal: Signal, variables: OtelVariables): boolean {
  const endpoint = variables[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`] ?? variables["OTEL_EXPORTER_OTLP_ENDPOINT"];
  return endpoint !== undefined;
}

function protocolOf(signal: Signal, variables: OtelVariables): OtlpProtocol {
  const named = variables[`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`] ?? variables["OTEL_EXPORTER_OTLP_PROTOCOL"];
  return PROTOCOLS.find((protocol) => protocol === named?.trim()) ?? "http/protobuf";
}
