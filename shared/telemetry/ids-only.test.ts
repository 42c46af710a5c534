import { trace } from "@opentelemetry/api";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createIdsOnlyTracerProvider } from "./ids-only.ts";
import { contextOf, traceparentOf } from "./propagate.ts";

const tracer = createIdsOnlyTracerProvider(systemClock).getTracer("test");
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

it("hands a caller's context on unchanged, its decision to sample too", () => {
  const parent = contextOf(TRACEPARENT);
  const span = tracer.startSpan("x", {}, parent);
  expect(traceparentOf(trace.setSpan(parent, span))).toBe(TRACEPARENT);
  expect(span.isRecording()).toBe(false);
});

it("gives a new trace its ids", () => {
  const first = tracer.startSpan("x", { root: true }).spanContext();
  const second = tracer.startSpan("x").spanContext();
  expect(first.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(first.spanId).toMatch(/^[0-9a-f]{16}$/);
  expect(second.traceId).not.toBe(first.traceId);
});

it("runs what is given with its span", () => {
  expect(tracer.startActiveSpan("x", (span) => span.spanContext().traceId)).toMatch(/^[0-9a-f]{32}$/);
});
