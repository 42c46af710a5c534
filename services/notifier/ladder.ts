// When a batch that was not taken is tried again (operator contract, WAYPOST_NOTIFY_SCHEDULE and WAYPOST_NOTIFY_DEADLINE).
//
//   after attempt   1    2     3    4     5     6 and on
//   waits           5s   30s   2m   10m   30m   1h          (the defaults)
//
// Pure rules; a tier is a queue with that TTL. Where a wait does not fit into what is left, the longest one that does is taken.

export interface Ladder {
  /** WAYPOST_NOTIFY_SCHEDULE in ms, in its order. */
  schedule: readonly number[];
}

export type NextTry = { kind: "wait"; tierMs: number } | { kind: "dead" };

function longestWithin(schedule: readonly number[], mostMs: number): number | undefined {
  const fitting = schedule.filter((ms) => ms <= mostMs);
  return fitting.length === 0 ? undefined : Math.max(...fitting);
}

function shortestAtLeast(schedule: readonly number[], leastMs: number): number {
  const fitting = schedule.filter((ms) => ms >= leastMs);
  return fitting.length === 0 ? Math.max(...schedule) : Math.min(...fitting);
}

/** After `attempts` failed tries (from 1), with `leftMs` to the deadline. An endpoint's Retry-After moves it to a later tier. */
export function nextTry(
  { schedule }: Ladder,
  state: { attempts: number; leftMs: number; retryAfterMs?: number | undefined },
): NextTry {
  const byCount = schedule[Math.min(state.attempts, schedule.length) - 1] ?? Math.max(...schedule);
  const asked = state.retryAfterMs === undefined ? 0 : shortestAtLeast(schedule, state.retryAfterMs);
  const tierMs = longestWithin(schedule, Math.min(Math.max(byCount, asked), state.leftMs));
  return tierMs === undefined ? { kind: "dead" } : { kind: "wait", tierMs };
}

/** Longest wait without an attempt: what waits for an endpoint that is back is not held longer. */
const MOST_PARKED_MS = 120_000;

/**
 * A batch that cannot be tried now, without spending an attempt: the shortest tier; a longer one where it is known that
 * nothing will go for a while (`expectedMs`), so that a large backlog does not circle through the broker every few seconds.
 */
export function parkedTry({ schedule }: Ladder, state: { expectedMs: number; leftMs: number }): NextTry {
  const shortest = Math.min(...schedule);
  if (state.leftMs < shortest) return { kind: "dead" };
  const most = Math.min(Math.max(state.expectedMs, shortest), MOST_PARKED_MS, state.leftMs);
  return { kind: "wait", tierMs: longestWithin(schedule, most) ?? shortest };
}
