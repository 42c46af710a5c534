// Traces without an exporter: spans are not recorded, but every job still has a trace id that logs, record and
// notifications carry, and a caller's context goes on unchanged.
import type { Context, Span, SpanContext, SpanOptions, Tracer, TracerProvider } from "@opentelemetry/api";
import { context, ROOT_CONTEXT, trace, TraceFlags } from "@opentelemetry/api";
import type { Clock } from "#shared/clock.ts";

/** Names spans, records none. */
export function createIdsOnlyTracerProvider(clock: Clock): TracerProvider {
  const newRoot = (): SpanContext => {
    const ids = `${clock.uuid()}${clock.uuid()}`.replaceAll("-", "");
    return { traceId: ids.slice(0, 32), spanId: ids.slice(32, 48), traceFlags: TraceFlags.NONE };
  };
  const startSpan = (_name: string, options?: SpanOptions, parent?: Context): Span => {
    const base = options?.root === true ? ROOT_CONTEXT : (parent ?? context.active());
    const inherited = trace.getSpanContext(base);
    return trace.wrapSpanContext(inherited ?? newRoot());
  };
  const tracer: Tracer = {
    startSpan,
    startActiveSpan: (name: string, ...rest: unknown[]) => {
      const work = rest.at(-1) as (span: Span) => never;
      const options = rest.length > 1 ? (rest[0] as SpanOptions) : undefined;
      const parent = rest.length > 2 ? (rest[1] as Context) : context.active();
      const span = startSpan(name, options, parent);
      return context.with(trace.setSpan(parent, span), () => work(span));
    },
  };
  return { getTracer: () => tracer };
}
