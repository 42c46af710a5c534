import { expect, it } from "vitest";
import { openTelemetryVariables } from "#shared/settings.ts";
import type { OtelVariables } from "./exported.ts";
import { exportedSignals } from "./exported.ts";

function signalsOf(variables: OtelVariables, warnings: string[] = []) {
  return exportedSignals(variables, (message) => warnings.push(message));
}

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

it.each([
  ["no endpoint", {}, { traces: [], metrics: [] }],
  ["an endpoint", endpoint, { traces: ["otlp"], metrics: ["otlp"] }],
  ["an endpoint for traces", { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://x" }, { traces: ["otlp"], metrics: [] }],
  ["metrics switched off", { ...endpoint, OTEL_METRICS_EXPORTER: "none" }, { traces: ["otlp"], metrics: [] }],
  ["metrics to be scraped", { ...endpoint, OTEL_METRICS_EXPORTER: "prometheus" }, { traces: ["otlp"], metrics: [] }],
  ["traces switched off", { ...endpoint, OTEL_TRACES_EXPORTER: "none" }, { traces: [], metrics: ["otlp"] }],
  ["traces to the console", { OTEL_TRACES_EXPORTER: "console" }, { traces: ["console"], metrics: [] }],
  ["names in capitals", { OTEL_TRACES_EXPORTER: "Console", OTEL_METRICS_EXPORTER: "NONE" }, { traces: ["console"] }],
  ["the SDK disabled", { ...endpoint, OTEL_SDK_DISABLED: "true" }, { traces: [], metrics: [] }],
])("exports with %s", (_, variables, exported) => {
  expect(signalsOf(variables)).toMatchObject(exported);
});

it.each([
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "grpc"],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "HTTP/JSON" }, "http/json"],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "http/json" }, "http/json"],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "pigeon" }, "http/protobuf"],
  [{}, "http/protobuf"],
])("pushes metrics by the protocol of %j", (variables, protocol) => {
  expect(signalsOf(variables).metricsProtocol).toBe(protocol);
});

it("takes an empty variable as one that is not set", () => {
  const variables = openTelemetryVariables({
    ...endpoint,
    OTEL_TRACES_EXPORTER: "",
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "",
    OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
  });
  expect(signalsOf(variables)).toMatchObject({ traces: ["otlp"], metrics: ["otlp"], metricsProtocol: "grpc" });
  expect(signalsOf(openTelemetryVariables({ OTEL_EXPORTER_OTLP_ENDPOINT: "" })).traces).toEqual([]);
});

it.each<[OtelVariables, string[]]>([
  [{ OTEL_TRACES_EXPORTER: "jaeger,otlp" }, ["OTEL_TRACES_EXPORTER: jaeger left out: otlp, console, zipkin, none"]],
  [{ OTEL_LOGS_EXPORTER: "otlp" }, ["OTEL_LOGS_EXPORTER: otlp left out: logs go to stdout"]],
  [{ OTEL_LOGS_EXPORTER: "none" }, []],
  [{ OTEL_METRICS_EXPORTER: "zipkin" }, ["OTEL_METRICS_EXPORTER: zipkin left out: otlp, console, none, prometheus"]],
  [
    { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http" },
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: http is none of grpc, http/json, http/protobuf: traces go by http/protobuf"],
  ],
  [{ ...endpoint, OTEL_METRICS_EXPORTER: "prometheus", OTEL_TRACES_EXPORTER: "none" }, []],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, []],
])("says what it does not know in %j", (variables, told) => {
  const warnings: string[] = [];
  signalsOf(variables, warnings);
  expect(warnings).toEqual(told);
});
