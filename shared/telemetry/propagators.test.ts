import { propagation } from "@opentelemetry/api";
import { afterEach, expect, it } from "vitest";
import { openTelemetryVariables } from "#shared/settings.ts";
import { contextOf, traceparentOf } from "./propagate.ts";
import { contextOfCaller, createPropagator, headersOf } from "./propagators.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE_ID}-${SPAN_ID}-01`;
const B3 = { b3: `${TRACE_ID}-${SPAN_ID}-1` };
const B3_MULTI = { "x-b3-traceid": TRACE_ID, "x-b3-spanid": SPAN_ID, "x-b3-sampled": "1" };

afterEach(() => propagation.disable());

async function use(named?: string): Promise<string[]> {
  const warnings: string[] = [];
  const variables = openTelemetryVariables({ OTEL_PROPAGATORS: named });
  propagation.setGlobalPropagator(await createPropagator(variables, (message) => void warnings.push(message)));
  return warnings;
}

it.each([
  [undefined, { traceparent: TRACEPARENT }, TRACEPARENT],
  ["", { traceparent: TRACEPARENT }, TRACEPARENT],
  [undefined, { traceparent: TRACEPARENT.replace("00", "cc") }, TRACEPARENT],
  [undefined, { traceparent: 1 }, undefined],
  [undefined, B3, undefined],
  ["none", { traceparent: TRACEPARENT }, undefined],
  ["b3", B3, TRACEPARENT],
  ["b3", { traceparent: TRACEPARENT }, undefined],
  ["b3multi", B3_MULTI, TRACEPARENT],
  ["baggage, tracecontext, b3", B3, TRACEPARENT],
] as const)("with OTEL_PROPAGATORS=%s takes %j as %s", async (named, headers, expected) => {
  await use(named);
  expect(traceparentOf(contextOfCaller(headers))).toBe(expected);
});

it.each([
  [undefined, { traceparent: TRACEPARENT }],
  ["none", {}],
  ["b3", B3],
  ["b3multi", B3_MULTI],
] as const)("with OTEL_PROPAGATORS=%s tells a receiver by %j", async (named, headers) => {
  await use(named);
  const told = Object.entries(headersOf(contextOf(TRACEPARENT))).map(([name, value]) => [name.toLowerCase(), value]);
  expect(Object.fromEntries(told)).toEqual(headers);
});

it("warns of names that it does not know, and goes on with the others", async () => {
  const [warning] = await use("tracecontext,jaeger");
  expect(warning).toMatch(/^OTEL_PROPAGATORS: jaeger left out/);
  expect(traceparentOf(contextOfCaller({ traceparent: TRACEPARENT }))).toBe(TRACEPARENT);
  expect(await use("none")).toEqual([]);
});
