// What delivery counts and measures. A lane's or relay's name is a label of lanes and outcomes only: there are as many as relays.
import type { ObservableResult } from "@opentelemetry/api";
import { metrics } from "@opentelemetry/api";
import type { Attempt } from "#shared/contracts/attempt.ts";
import { ATTEMPT_BUCKETS_S, METRICS } from "#shared/telemetry/names.ts";

export interface LaneFigure {
  lane: string;
  state: "active" | "suspended" | "held";
  inFlight: number;
}

export interface DeliveryMetrics {
  countAttempt(attempt: Attempt): void;
  /** Must stay 0. */
  countFailClosed(): void;
  countDuplicate(how: "known" | "waits" | "claimed"): void;
  observeLanes(read: () => readonly LaneFigure[]): void;
}

const STATES = ["active", "suspended", "held"] as const;

export function createDeliveryMetrics(): DeliveryMetrics {
  const meter = metrics.getMeter("waypost");
  const outcomes = meter.createCounter("waypost.delivery.attempts", {
    description: "Delivery attempts by relay and outcome",
  });
  const duration = meter.createHistogram("waypost.delivery.attempt.duration", {
    description: "Duration of a delivery attempt",
    unit: "s",
    advice: { explicitBucketBoundaries: ATTEMPT_BUCKETS_S },
  });
  const failClosed = meter.createCounter(METRICS.failClosed, {
    description: "Relayed mails that were about to take the MX: must be 0",
  });
  const duplicates = meter.createCounter("waypost.delivery.copies", {
    description: "Copies of mails that the ledger was asked about",
  });
  const state = meter.createObservableGauge("waypost.lane.state", { description: "1 for the state that a lane is in" });
  const inFlight = meter.createObservableGauge("waypost.lane.in_flight", { description: "Attempts under way" });
  failClosed.add(0);
  return {
    countAttempt: ({ relay, durationMs, result }) => {
      const uncertain = result.uncertain === true ? { uncertain: true } : {};
      outcomes.add(1, { relay: relay ?? "", outcome: result.status, blame: result.blame, ...uncertain });
      duration.record(durationMs / 1000, { outcome: result.status });
    },
    countFailClosed: () => failClosed.add(1),
    countDuplicate: (how) => duplicates.add(1, { how }),
    observeLanes: (read) => {
      state.addCallback((result: ObservableResult) => {
        for (const lane of read()) {
          for (const name of STATES) result.observe(lane.state === name ? 1 : 0, { lane: lane.lane, state: name });
        }
      });
      inFlight.addCallback((result: ObservableResult) => {
        for (const lane of read()) result.observe(lane.inFlight, { lane: lane.lane });
      });
    },
  };
}
