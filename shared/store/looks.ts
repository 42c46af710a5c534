// Waits between two looks at what may have changed; somebody who knows of a change ends the wait, or the one that comes next.
import type { Clock } from "#shared/clock.ts";

/**
 * Whoever changes something tells of it, so that nobody waits for the next look: it is for what was told and not heard, and
 * a change counts within a second even then. A look takes some 2.5 ms of processor, service and database together.
 */
export const LOOK_EVERY_MS = 500;

export interface Looks {
  /** Resolves after `ms`, when `soon` is called or was called since the last wait, or when `signal` aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  soon(): void;
}

export function createLooks(clock: Pick<Clock, "sleep">): Looks {
  let isAsked = false;
  let waiting: AbortController | undefined;
  return {
    wait: async (ms, signal) => {
      waiting = new AbortController();
      if (isAsked) waiting.abort();
      await clock.sleep(ms, AbortSignal.any([waiting.signal, signal])).catch(() => undefined);
      isAsked = false;
    },
    soon: () => {
      isAsked = true;
      waiting?.abort();
    },
  };
}
