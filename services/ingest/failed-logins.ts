// Failed logins of the last minute, over REST and SMTP together (operator contract, REST submission).
// A window begins with the first failure and ends a minute later; what is remembered is bounded.
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";

const WINDOW_MS = 60_000;
const MOST_FOR_ACCOUNT = 10;
const MOST_FOR_ADDRESS = 200;
/** By size: a bound by number would take 3 MB for them at once. */
const REMEMBERED = { maxSize: 100_000, sizeCalculation: () => 1 };

interface Window {
  since: number;
  count: number;
}

export interface FailedLogins {
  /** Seconds until this account may try again from this address; undefined where it may now. */
  blockedFor(account: string, address: string): number | undefined;
  count(account: string, address: string): void;
  /** Takes back one that was counted and turned out to be none. */
  forgive(account: string, address: string): void;
}

export function createFailedLogins(clock: Clock): FailedLogins {
  const windows = new LRUCache<string, Window>(REMEMBERED);
  const ofAccount = (account: string, address: string): string => JSON.stringify([address, account]);

  function current(key: string): Window | undefined {
    const window = windows.get(key);
    return window !== undefined && clock.nowMs() - window.since < WINDOW_MS ? window : undefined;
  }

  function add(failures: number, account: string, address: string): void {
    for (const key of [ofAccount(account, address), address]) {
      const { since, count } = current(key) ?? { since: clock.nowMs(), count: 0 };
      windows.set(key, { since, count: Math.max(0, count + failures) });
    }
  }

  return {
    blockedFor: (account, address) => {
      const over = [
        { window: current(ofAccount(account, address)), most: MOST_FOR_ACCOUNT },
        { window: current(address), most: MOST_FOR_ADDRESS },
      ].flatMap(({ window, most }) => (window !== undefined && window.count >= most ? [window] : []));
      if (over.length === 0) return undefined;
      const until = Math.max(...over.map((window) => window.since + WINDOW_MS));
      return Math.max(1, Math.ceil((until - clock.nowMs()) / 1_000));
    },
    count: (account, address) => add(1, account, address),
    forgive: (account, address) => add(-1, account, address),
  };
}
