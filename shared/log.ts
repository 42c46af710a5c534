// Logging: JSON lines on stdout, with the ids of the active span (operator contract, LOG_LEVEL).
import { trace } from "@opentelemetry/api";
import type { Logger, LoggerOptions } from "pino";
import { pino } from "pino";

export type Log = Logger;

/** Some seconds of a busy service. */
const MOST_WAITING_BYTES = 8_388_608;

/** The log of one service. An entry's message is a fixed event name (`delivery.attempted`); facts are fields. */
export function createLog(service: string, level: string): Log {
  const options: LoggerOptions = {
    level,
    base: { service },
    messageKey: "event",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: () => {
      const context = trace.getActiveSpan()?.spanContext();
      return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
    },
  };
  const stdout = openStdout();
  const log = pino(options, stdout);
  let leftOut = 0;
  stdout.on("drop", () => (leftOut += 1));
  stdout.on("drain", () => {
    if (leftOut === 0) return;
    const lines = leftOut;
    leftOut = 0;
    log.warn({ lines }, "log.lines_left_out");
  });
  return log;
}

/**
 * A full disk, or a reader that stands still, is no reason to end: lines wait for it, and what is beyond their bound is left
 * out. At its end a process would wait for a disk that is full for ever.
 */
function openStdout(): ReturnType<typeof pino.destination> {
  const stdout = pino.destination({ dest: process.stdout.fd, sync: false, maxLength: MOST_WAITING_BYTES });
  const flush = stdout.flushSync.bind(stdout);
  let isFailing = false;
  stdout.on("error", () => (isFailing = true));
  stdout.on("write", () => (isFailing = false));
  stdout.flushSync = () => {
    if (!isFailing) flush();
  };
  return stdout;
}
