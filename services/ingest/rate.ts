// Token buckets by account: how fast an account may submit, and from when on its jobs count as a flood (design, Ways in).
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";

/** By size: a bound by number would take 3 MB for them at once. */
const REMEMBERED = { maxSize: 100_000, sizeCalculation: () => 1 };

interface Bucket {
  tokens: number;
  at: number;
}

export interface Rate {
  /** Takes a token: 0 where there was one, otherwise the milliseconds until the next. */
  take(account: string, perSecond: number): number;
}

/** A bucket holds what a second brings, and never less than one token. */
export function createRate(clock: Clock): Rate {
  const buckets = new LRUCache<string, Bucket>(REMEMBERED);
  return {
    take: (account, perSecond) => {
      const now = clock.nowMs();
      const capacity = Math.max(1, perSecond);
      const bucket = buckets.get(account) ?? { tokens: capacity, at: now };
      const tokens = Math.min(capacity, bucket.tokens + (Math.max(0, now - bucket.at) * perSecond) / 1_000);
      const isFree = tokens >= 1;
      buckets.set(account, { tokens: isFree ? tokens - 1 : tokens, at: now });
      return isFree ? 0 : ((1 - tokens) / perSecond) * 1_000;
    },
  };
}
