// The broker client's metrics. What is counted for every message is a number in memory, read when somebody asks.
import type { Attributes, Histogram, Meter } from "@opentelemetry/api";
import { ATTRIBUTES as A, DURATION_BUCKETS_S, METRICS as M } from "./names.ts";

export const SYSTEM = "rabbitmq";

/** Counts by one attribute: an increment a message, and no more. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  observe(meter: Meter, metric: { name: string; attribute: string; description: string }): this {
    const counter = meter.createObservableCounter(metric.name, { description: metric.description });
    counter.addCallback((result) => {
      for (const [key, count] of this.#counts) {
        result.observe(count, { [A.messagingSystem]: SYSTEM, [metric.attribute]: key });
      }
    });
    return this;
  }
}

export interface Figures {
  sent: Tally;
  consumed: Tally;
  parked: Tally;
  faults: Tally;
  republished: Tally;
  operationDuration: Histogram<Attributes>;
  processDuration: Histogram<Attributes>;
}

export function createFigures(meter: Meter): Figures {
  const tally = (name: string, description: string, attribute: string = A.messagingDestinationTemplate): Tally =>
    new Tally().observe(meter, { name, attribute, description });
  return {
    sent: tally(M.sentMessages, "Messages published and confirmed"),
    consumed: tally(M.consumedMessages, "Messages delivered to this process"),
    parked: tally(M.parked, "Messages that went to the dead letters"),
    faults: tally(M.faults, "Times a message waited for a backing service"),
    republished: tally(M.republished, "Messages published again", "reason"),
    operationDuration: meter.createHistogram(M.operationDuration, {
      unit: "s",
      description: "Time from the publishing of a message to its confirm",
      advice: { explicitBucketBoundaries: DURATION_BUCKETS_S },
    }),
    processDuration: meter.createHistogram(M.processDuration, {
      unit: "s",
      description: "Time from the delivery of a message to its settlement",
      advice: { explicitBucketBoundaries: DURATION_BUCKETS_S },
    }),
  };
}

export interface BrokerState {
  isConnected(): boolean;
  isBlocked(): boolean;
  heldBytes(): number;
  /** Messages in hand by the template of their mailbox. */
  inHand(): ReadonlyMap<string, number>;
  /** Published, not yet confirmed. */
  unconfirmed(): number;
}

export function observeBroker(meter: Meter, state: BrokerState): void {
  const gauge = (name: string, description: string, read: () => number): void =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));
  gauge(M.brokerConnected, "1 while both connections are there and the topology is declared", () =>
    state.isConnected() ? 1 : 0,
  );
  gauge(M.brokerBlocked, "1 while an alarm of the broker blocks publishing", () => (state.isBlocked() ? 1 : 0));
  gauge(M.heldBytes, "Bytes of messages that this process holds", () => state.heldBytes());
  gauge(M.unconfirmed, "Messages published and not yet confirmed", () => state.unconfirmed());
  meter.createObservableGauge(M.inHand, { description: "Messages being handled" }).addCallback((result) => {
    for (const [mailbox, count] of state.inHand()) result.observe(count, { [A.messagingDestinationTemplate]: mailbox });
  });
}
