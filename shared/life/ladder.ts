// The ladder of waits between attempts (WAYPOST_RETRY_SCHEDULE). The only place that knows when a mail is tried again.
//   attempt that failed   1    2    3     4     5    6    7    8 …
//   wait before the next  1m   5m   15m   30m   1h   2h   4h   4h (the last one repeats)
// Where a wait does not fit into what is left, the longest one that does, again and again: so the last attempt falls at
// most one shortest wait before the deadline, and none after it.

/** Waits in ms, in the order of the attempts. */
export type Ladder = readonly [number, ...number[]];

/** What a wait may begin late, or last longer than its tier says (the way through broker and router), without missing the deadline. */
const MOST_SLACK_MS = 30_000;

export const slackOf = (ladder: Ladder): number => Math.min(MOST_SLACK_MS, Math.min(...ladder) / 2);

/** The wait after a failed attempt (from 1), with `leftMs` until the deadline; undefined where none fits any more. */
export function nextWait(ladder: Ladder, attempt: number, leftMs: number): number | undefined {
  const wanted = ladder[Math.min(attempt, ladder.length) - 1] ?? ladder[0];
  const fitting = ladder.filter((wait) => fits(ladder, wait, leftMs));
  if (fitting.includes(wanted)) return wanted;
  return fitting.length === 0 ? undefined : Math.max(...fitting);
}

/** A long wait leaves room for its slack; the shortest has none to leave: what follows it is within one of it anyway. */
function fits(ladder: Ladder, wait: number, leftMs: number): boolean {
  const shortest = Math.min(...ladder);
  if (wait === shortest) return wait < leftMs;
  return wait + slackOf(ladder) <= leftMs;
}

export function ladderOf(waits: readonly number[]): Ladder {
  const [first, ...others] = waits;
  if (first === undefined) throw new TypeError("a ladder has at least one wait");
  return [first, ...others];
}
