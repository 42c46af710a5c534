// Waits for a condition with a deadline: tests never sleep.
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 25;
const DEFAULT_DEADLINE_MS = 15_000;

/**
 * Resolves with the first value of `condition` that is neither undefined, null nor false.
 * Throws after the deadline, with what the condition said last.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  deadlineMs = DEFAULT_DEADLINE_MS,
): Promise<Exclude<T, undefined | null | false>> {
  const end = Date.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      last = await condition();
      if (last !== undefined && last !== null && last !== false) return last as Exclude<T, undefined | null | false>;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= end) break;
    await sleep(POLL_MS);
  }
  throw new Error(`not within ${deadlineMs} ms: ${condition.toString().slice(0, 300)}`, { cause: last });
}

/** Throws when `condition` becomes true within the given time. */
export async function never(condition: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
  const end = Date.now() + withinMs;
  while (Date.now() < end) {
    if (await condition()) throw new Error(`happened within ${withinMs} ms: ${condition.toString().slice(0, 300)}`);
    await sleep(POLL_MS);
  }
}
