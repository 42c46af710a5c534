// What the retry-scheduler counts.
import { metrics } from "@opentelemetry/api";
import { METRICS } from "#shared/telemetry/names.ts";
import type { RetryFate } from "#shared/life/retry-fate.ts";

export interface RetryMetrics {
  countFate(fate: RetryFate): void;
  /** Must stay 0: a mail without an end for which nothing accounts. */
  countSwept(): void;
  /** A mail that was ended by the sweep for it was still waiting behind younger ones. */
  countExpiredLate(): void;
}

export function createRetryMetrics(): RetryMetrics {
  const meter = metrics.getMeter("waypost");
  const retries = meter.createCounter(METRICS.retries, {
    description: "Mails that an attempt failed for, or that expired",
  });
  const swept = meter.createCounter(METRICS.swept, {
    description: "Mails past their deadline without an end, late expiry apart: must be 0",
  });
  const expiredLate = meter.createCounter(METRICS.expiredLate, {
    description: "Mails ended past their deadline while they waited behind younger ones",
  });
  swept.add(0);
  expiredLate.add(0);
  return {
    countFate: (fate) => retries.add(1, { fate: fate.kind }),
    countSwept: () => swept.add(1),
    countExpiredLate: () => expiredLate.add(1),
  };
}
