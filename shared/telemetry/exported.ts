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
const EXPORTERS: Readonly<Record<Signal, readonly string[]>> = {
  TRACES: ["otlp", "console", "zipkin"],
  METRICS: ["otlp", "console"],
};
/** Named, and yet nothing to push to: /metrics is always there. */
const NO_EXPORTERS: Readonly<Record<Signal, readonly string[]>> = { TRACES: ["none"], METRICS: ["none", "prometheus"] };
const PROTOCOLS: readonly OtlpProtocol[] = ["grpc", "http/json", "http/protobuf"];

/** Where a wrong value is told of. */
export type Warn = (message: string) => void;

/** What the variables name; what is none of ours goes to `warn` and is left out. */
export function exportedSignals(variables: OtelVariables, warn: Warn): Exported {
  if (variables["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") {
    return NOTHING;
  }
  sayOfLogs(variables["OTEL_LOGS_EXPORTER"], warn);
  return {
    traces: exportersOf("TRACES", variables, warn),
    tracesProtocol: protocolOf("TRACES", variables, warn),
    metrics: exportersOf("METRICS", variables, warn),
    metricsProtocol: protocolOf("METRICS", variables, warn),
  };
}

/** Logs are JSON lines on stdout, for whatever collects those. */
function sayOfLogs(named: string | undefined, warn: Warn): void {
  if (named !== undefined && !["none", "console"].includes(named.trim().toLowerCase()))
    warn(`OTEL_LOGS_EXPORTER: ${named} left out: logs go to stdout`);
}

/** The exporters named for a signal; `otlp`, also where none is named, only when an endpoint is known. */
function exportersOf(signal: Signal, variables: OtelVariables, warn: Warn): string[] {
  const variable = `OTEL_${signal}_EXPORTER`;
  const named = (variables[variable] ?? "otlp").split(",").map((name) => name.trim().toLowerCase());
  const possible = [...EXPORTERS[signal], ...NO_EXPORTERS[signal]];
  const unknown = named.filter((name) => name !== "" && !possible.includes(name));
  if (unknown.length > 0) warn(`${variable}: ${unknown.join(", ")} left out: ${possible.join(", ")}`);
  const wanted = named.filter((name) => EXPORTERS[signal].includes(name));
  return wanted.filter((name) => name !== "otlp" || hasEndpoint(signal, variables));
}

function hasEndpoint(signal: Signal, variables: OtelVariables): boolean {
  const endpoint = variables[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`] ?? variables["OTEL_EXPORTER_OTLP_ENDPOINT"];
  return endpoint !== undefined;
}

function protocolOf(signal: Signal, variables: OtelVariables, warn: Warn): OtlpProtocol {
  const own = `OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`;
  const variable = variables[own] === undefined ? "OTEL_EXPORTER_OTLP_PROTOCOL" : own;
  const named = variables[variable]?.trim();
  const protocol = PROTOCOLS.find((known) => known === named?.toLowerCase());
  if (named !== undefined && protocol === undefined)
    warn(`${variable}: ${named} is none of ${PROTOCOLS.join(", ")}: ${signal.toLowerCase()} go by http/protobuf`);
  return protocol ?? "http/protobuf";
}
