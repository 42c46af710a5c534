// How many mails an account has waiting (`limits.waitingMails`): as the record last said, what was accepted here since, and what
// is being accepted, so that of many at once no more get in than may wait.
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

const NOTHING = { counted: 0, since: 0 };

export interface WaitingMails {
  /**
   * Lets these mails in where no more than `most` wait with them; otherwise answers how many wait. Waits for the record only
   * where nothing is known of the account.
   */
  enter(account: string, mails: number, most: number): Promise<number | undefined>;
  /** What was let in is accepted, or is not after all. */
  leave(account: string, mails: number, isAccepted: boolean): void;
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
  const entered = new Map<string, number>();
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
      const last = known.get(account) ?? NOTHING;
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

  async function toKnow(account: string): Promise<void> {
    const before = known.get(account);
    if (before === undefined) await refresh(account);
    else if (before.goodUntil <= steady.nowMs()) void refresh(account);
  }

  const enteredOf = (account: string): number => entered.get(account) ?? 0;

  return {
    enter: async (account, mails, most) => {
      await toKnow(account);
      const { counted, since } = known.get(account) ?? NOTHING;
      const waiting = counted + since + enteredOf(account);
      if (waiting + mails > most) return waiting;
      entered.set(account, enteredOf(account) + mails);
      return undefined;
    },
    leave: (account, mails, isAccepted) => {
      const left = enteredOf(account) - mails;
      if (left === 0) entered.delete(account);
      else entered.set(account, left);
      const now = known.get(account);
      if (isAccepted && now !== undefined) now.since += mails;
    },
  };
}
