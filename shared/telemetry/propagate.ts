// W3C trace context in and out of text: `00-<trace id>-<span id>-<flags>`. Cheap: it is done for every message.
import type { Context, SpanContext } from "@opentelemetry/api";
import { context, isSpanContextValid, ROOT_CONTEXT, trace } from "@opentelemetry/api";

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The text of a context's span, or undefined where there is none. */
export function traceparentOf(of: Context): string | undefined {
  return traceparentOfSpan(trace.getSpanContext(of));
}

export function traceparentOfSpan(span: SpanContext | undefined): string | undefined {
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`;
}

/** A context whose span is the one that the text names; an empty one where it names none. */
export function contextOf(traceparent: string | undefined): Context {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent);
  if (match === null) return ROOT_CONTEXT;
  const [, traceId = "", spanId = "", flags = "00"] = match;
  const span = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return isSpanContextValid(span) ? trace.setSpanContext(ROOT_CONTEXT, span) : ROOT_CONTEXT;
}

/** The trace id in a traceparent. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1];
}

/** What is logged meanwhile has the ids that the text names: of a mail among others of a batch, or found by a sweep. */
export function inTraceOf<T>(traceparent: string | undefined, work: () => T): T {
  return traceparent === undefined ? work() : context.with(contextOf(traceparent), work);
}
