// Logging: JSON lines on stdout, with the ids of the active span (operator contract, LOG_LEVEL).
import { trace } from "@opentelemetry/api";
import type { Logger } from "pino";
import { pino } from "pino";

export type Log = Logger;

/** The log of one service. An entry's message is a fixed event name (`delivery.attempted`); facts are fields. */
export function createLog(service: string, level: string): Log {
  return pino({
    level,
    base: { service },
    messageKey: "event",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: () => {
      const context = trace.getActiveSpan()?.spanContext();
      return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
    },
  });
}
