// The exporters called `console`: stdout has JSON lines and nothing else (operator contract, LOG_LEVEL), so what the SDK's
// own would print over several lines goes into the log, a line for each span or metric.
import type { Attributes, HrTime } from "@opentelemetry/api";
import { ExportResultCode, hrTimeToMilliseconds, hrTimeToTimeStamp } from "@opentelemetry/core";
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { Log } from "#shared/log.ts";

/** Asked for by a variable of its own, so LOG_LEVEL does not take it away. */
const alwaysWritten = (log: Log): Log => log.child({}, { level: "info" });

export function createLogSpanExporter(log: Log): SpanExporter {
  const written = alwaysWritten(log);
  return {
    export: (spans, done) => {
      for (const span of spans) written.info({ span: spanFields(span) }, "telemetry.span");
      done({ code: ExportResultCode.SUCCESS });
    },
    shutdown: async () => undefined,
  };
}

export function createLogMetricExporter(log: Log): PushMetricExporter {
  const written = alwaysWritten(log);
  return {
    export: ({ scopeMetrics }, done) => {
      for (const { descriptor, dataPoints } of scopeMetrics.flatMap(({ metrics }) => metrics))
        written.info({ metric: { ...descriptor, dataPoints } }, "telemetry.metric");
      done({ code: ExportResultCode.SUCCESS });
    },
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
  };
}

interface SpanFields {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: number;
  start: string;
  durationMs: number;
  status: ReadableSpan["status"];
  attributes: Attributes;
  events: { name: string; at: string; attributes: Attributes | undefined }[];
  links: { traceId: string; spanId: string; attributes: Attributes | undefined }[];
}

function spanFields(span: ReadableSpan): SpanFields {
  const { traceId, spanId } = span.spanContext();
  const { name, kind, status, attributes } = span;
  const at = (time: HrTime): string => hrTimeToTimeStamp(time);
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    name,
    kind,
    start: at(span.startTime),
    durationMs: hrTimeToMilliseconds(span.duration),
    status,
    attributes,
    events: span.events.map((event) => ({ name: event.name, at: at(event.time), attributes: event.attributes })),
    links: span.links.map(({ context, attributes: about }) => ({
      traceId: context.traceId,
      spanId: context.spanId,
      attributes: about,
    })),
  };
}
