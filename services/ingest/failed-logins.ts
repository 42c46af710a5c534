// Failed logins of the last minute, over REST and SMTP together (operator contract, REST submission).
// The minute slides: what counts is when the oldest of the last 10 failures was. What is remembered is bounded.
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";

const WINDOW_MS = 60_000;
const MOST_FOR_ACCOUNT = 10;
const MOST_FOR_ADDRESS = 200;

export interface FailedLogins {
  /** Seconds until this account may try again from this address; undefined where it may now. */
  blockedFor(account: string, address: string): number | undefined;
  /** How many more may fail before it is blocked: of this account from this address, and of any from it. */
  left(account: string, address: string): { ofAccount: number; ofAddress: number };
  count(account: string, address: string): void;
  /** Takes back one that was counted and turned out to be none. */
  forgive(account: string, address: string): void;
}

export function createFailedLogins(clock: Clock): FailedLogins {
  /** Times, oldest first. Bounded by their number in all; by keys, a bound would take 3 MB for them at once. */
  const failures = new LRUCache<string, readonly number[]>({
    maxSize: 100_000,
    sizeCalculation: (times) => Math.max(1, times.length),
  });
  // A clock that is set back makes no minute longer.
  const steady = createSteadyClock(clock);
  const limitsOf = (account: string, address: string) => [
    { key: JSON.stringify([address, account]), most: MOST_FOR_ACCOUNT },
    { key: address, most: MOST_FOR_ADDRESS },
  ];
  const lastMinute = (key: string): readonly number[] =>
    (failures.get(key) ?? []).filter((at) => steady.nowMs() - at < WINDOW_MS);

  return {
    blockedFor: (account, address) => {
      const oldest = limitsOf(account, address).map(({ key, most }) => lastMinute(key).at(-most) ?? -Infinity);
      const leftMs = Math.max(...oldest) + WINDOW_MS - steady.nowMs();
      return leftMs > 0 ? Math.ceil(leftMs / 1_000) : undefined;
    },
    left: (account, address) => {
      const [ofAccount = 0, ofAddress = 0] = limitsOf(account, address).map(
        ({ key, most }) => most - lastMinute(key).length,
      );
      return { ofAccount, ofAddress };
    },
    count: (account, address) => {
      for (const { key, most } of limitsOf(account, address))
        failures.set(key, [...lastMinute(key), steady.nowMs()].slice(-most));
    },
    forgive: (account, address) => {
      for (const { key } of limitsOf(account, address)) failures.set(key, lastMinute(key).slice(0, -1));
    },
  };
}
