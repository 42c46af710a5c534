import { ROOT_CONTEXT } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { pino } from "pino";
import { expect, it } from "vitest";
import { exportedSignals } from "./exported.ts";
import { createLogMetricExporter } from "./log-exporters.ts";
import { createTracerProvider } from "./traces.ts";

/** A log that keeps its lines, as seldom as LOG_LEVEL=error writes any. */
function keptLog() {
  const lines: string[] = [];
  const log = pino({ level: "error", messageKey: "event" }, { write: (line: string) => void lines.push(line) });
  return { log, entries: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

it("spans for the console are lines of the log", async () => {
  const { log, entries } = keptLog();
  const variables = { OTEL_TRACES_EXPORTER: "console" };
  const warn = (): void => undefined;
  const exported = exportedSignals(variables, warn);
  const provider = await createTracerProvider(resourceFromAttributes({}), exported, { variables, warn, log });
  const span = provider.getTracer("test").startSpan("publish jobs", { attributes: { size: 7 } }, ROOT_CONTEXT);
  span.addEvent("confirmed").end();
  await provider.shutdown();
  const { traceId, spanId } = span.spanContext();
  const told = { traceId, spanId, name: "publish jobs", attributes: { size: 7 }, events: [{ name: "confirmed" }] };
  expect(entries()).toMatchObject([{ event: "telemetry.span", span: told }]);
});

it("metrics for the console are lines of the log", async () => {
  const { log, entries } = keptLog();
  const exporter = createLogMetricExporter(log);
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
  provider.getMeter("test").createCounter("accepted").add(3, { way: "rest" });
  await provider.shutdown();
  const told = { name: "accepted", dataPoints: [{ value: 3, attributes: { way: "rest" } }] };
  expect(entries()).toMatchObject([{ event: "telemetry.metric", metric: told }]);
});
