// Longest waits of an attempt: of each step, of the whole, and of the mail (design, Delivery). Plain reckoning, no timers.
import type { SmtpTimeouts } from "#shared/settings-schedules.ts";
import type { Waiting } from "./transcript.ts";

/** What waits longest once the final dot is sent and the mail's deadline comes. */
export const AFTER_DEADLINE_MS = 30_000;

export interface TimeLimits {
  timeouts: SmtpTimeouts;
  /** End of the whole attempt. */
  totalMs: number;
  /** The mail's deadline. */
  deadlineMs: number;
}

export interface Limit {
  atMs: number;
  cause: "timeout" | "deadline";
}

function waitOf(step: Waiting, timeouts: SmtpTimeouts): number {
  switch (step) {
    case "resolve":
    case "connect":
      return timeouts.connect;
    case "greeting":
      return timeouts.greeting;
    case "data":
      return timeouts.data;
    case "dot":
      return timeouts.dot;
    case "ehlo":
    case "starttls":
    case "auth":
    case "mail":
    case "rcpt":
      return timeouts.command;
    case "idle":
      return Infinity;
  }
}

/** When a step that begins now must be over, and why. */
export function limitOf(step: Waiting, limits: TimeLimits, nowMs: number): Limit {
  const timeoutMs = Math.min(nowMs + waitOf(step, limits.timeouts), limits.totalMs);

  const lastMs = step === "dot" ? limits.deadlineMs + AFTER_DEADLINE_MS : limits.deadlineMs;
  return lastMs < timeoutMs ? { atMs: lastMs, cause: "deadline" } : { atMs: timeoutMs, cause: "timeout" };
}
