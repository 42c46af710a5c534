// How an endpoint fares, and what may be posted to it: pure rules.
//
//   open     up to MOST_IN_FLIGHT POSTs at once; two while everything in flight has hung for a second
//   slowed   one POST at a time, none before the moment it asked for (Retry-After); the first success opens it
//   off      none: it answered 410; an operator switches it on again
import type { PostOutcome } from "./answer.ts";

export interface Health {
  state: "open" | "slowed" | "off";
  sinceMs: number;
  /** Failures in a row. */
  failures: number;
  /** Nothing is posted before this moment. */
  untilMs: number;
}

export const MOST_IN_FLIGHT = 32;
const HANGING_AFTER_MS = 1_000;
const HANGING_IN_FLIGHT = 2;
/** Answers that are failures, in a row, until an endpoint is slowed; no answer at all does it at once. */
const MOST_FAILURES = 3;

export function healthy(nowMs: number): Health {
  return { state: "open", sinceMs: nowMs, failures: 0, untilMs: 0 };
}

function moveTo(health: Health, state: Health["state"], nowMs: number): Health {
  return health.state === state ? health : { ...health, state, sinceMs: nowMs };
}

/** The health after an outcome. What is off stays off: a POST that was under way says nothing new. */
export function afterOutcome(health: Health, outcome: PostOutcome, nowMs: number): Health {
  if (health.state === "off") return health;
  switch (outcome.kind) {
    case "delivered":
      return { ...moveTo(health, "open", nowMs), failures: 0, untilMs: 0 };
    case "gone":
      return { ...moveTo(health, "off", nowMs), failures: health.failures + 1, untilMs: 0 };
    case "wait":
      return {
        ...moveTo(health, "slowed", nowMs),
        failures: health.failures + 1,
        untilMs: outcome.retryAfterMs === undefined ? 0 : nowMs + outcome.retryAfterMs,
      };
    case "failed": {
      const failures = health.failures + 1;
      const isSlowed = outcome.status === 0 || failures >= MOST_FAILURES;
      return { ...(isSlowed ? moveTo(health, "slowed", nowMs) : health), failures };
    }
  }
}

export interface Flight {
  /** When the oldest POST that is in flight began. */
  oldestMs: number | undefined;
  lastSuccessMs: number;
  nowMs: number;
}

/** Nothing has come back for a second, though something is asked. */
export function isHanging({ oldestMs, lastSuccessMs, nowMs }: Flight): boolean {
  return oldestMs !== undefined && nowMs - Math.max(oldestMs, lastSuccessMs) > HANGING_AFTER_MS;
}

/** How many POSTs may be in flight now. */
export function limitOf(health: Health, flight: Flight): number {
  if (health.state === "off" || flight.nowMs < health.untilMs) return 0;
  if (health.state === "slowed") return 1;
  return isHanging(flight) ? HANGING_IN_FLIGHT : MOST_IN_FLIGHT;
}
