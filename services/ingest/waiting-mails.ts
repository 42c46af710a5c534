// How many mails an account has waiting (`limits.waitingMails`): as the record last said, and what was accepted here since.
// The record is asked again in the background; how often depends on how long the count took, so that it never costs much.
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";

const MOST_REMEMBERED = 10_000;
const LEAST_AGE_MS = 1_000;
/** A count that took 50 ms is good for 2.5 s. */
const AGE_FACTOR = 50;

interface Known {
  counted: number;
  /** Accepted since the count was begun. */
  since: number;
  goodUntil: number;
}

export interface WaitingMails {
  /** The number as far as it is known. Waits for the record only where nothing is known of the account. */
  of(account: string): Promise<number>;
  accepted(account: string, mails: number): void;
}

export interface WaitingMailsParts {
  /** Mails of the account that have no end yet, as recorded. */
  count: (account: string) => Promise<number>;
  clock: Clock;
  log: Log;
}

export function createWaitingMails({ count, clock, log }: WaitingMailsParts): WaitingMails {
  const known = new LRUCache<string, Known>({ max: MOST_REMEMBERED });
  const counting = new Map<string, Promise<void>>();
  // A clock that is set back keeps no count for longer.
  const steady = createSteadyClock(clock);

  async function ask(account: string): Promise<void> {
    const startedMs = steady.nowMs();
    const sinceBefore = known.get(account)?.since ?? 0;
    try {
      const counted = await count(account);
      const ageMs = Math.max(LEAST_AGE_MS, (steady.nowMs() - startedMs) * AGE_FACTOR);
      const since = Math.max(0, (known.get(account)?.since ?? 0) - sinceBefore);
      known.set(account, { counted, since, goodUntil: steady.nowMs() + ageMs });
    } catch (error) {
      log.warn({ err: error, account }, "ingest.waiting-unknown");
      const last = known.get(account) ?? { counted: 0, since: 0 };
      known.set(account, { ...last, goodUntil: steady.nowMs() + LEAST_AGE_MS });
    } finally {
      counting.delete(account);
    }
  }

  function refresh(account: string): Promise<void> {
    const started = counting.get(account) ?? ask(account);
    counting.set(account, started);
    return started;
  }

  return {
    of: async (account) => {
      const before = known.get(account);
      if (before === undefined) await refresh(account);
      else if (before.goodUntil <= steady.nowMs()) void refresh(account);
      const now = known.get(account);
      return now === undefined ? 0 : now.counted + now.since;
    },
    accepted: (account, mails) => {
      const now = known.get(account);
      if (now !== undefined) now.since += mails;
    },
  };
}
