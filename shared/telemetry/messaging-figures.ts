// The broker client's metrics. What is counted for every message is a number in memory, read when somebody asks.
import type { Attributes, Histogram, Meter, MetricOptions } from "@opentelemetry/api";
import { ATTRIBUTES as A, DURATION_BUCKETS_S, METRICS as M } from "./names.ts";
import { remember } from "./remember.ts";

const MESSAGES = "{message}";
const SYSTEM: Attributes = { [A.messagingSystem]: "rabbitmq" };
export const PUBLISH: Attributes = {
  ...SYSTEM,
  [A.messagingOperationName]: "publish",
  [A.messagingOperationType]: "send",
};
export const CONSUME: Attributes = {
  ...SYSTEM,
  [A.messagingOperationName]: "consume",
  [A.messagingOperationType]: "process",
};

interface Count {
  value: number;
  attributes: Attributes;
}

/** Counts by the broker's node and one attribute: an increment a message, and no more. */
export class Tally {
  readonly #counts: Count[] = [];
  readonly #countOf: (server: Attributes) => (key: string) => Count;

  constructor(common: Attributes, attribute: string) {
    this.#countOf = remember((server) =>
      remember((key) => {
        const count = { value: 0, attributes: { ...common, ...server, [attribute]: key } };
        this.#counts.push(count);
        return count;
      }),
    );
  }

  add(server: Attributes, key: string): void {
    this.#countOf(server)(key).value += 1;
  }

  observe(meter: Meter, name: string, options: MetricOptions): this {
    meter.createObservableCounter(name, options).addCallback((result) => {
      for (const { value, attributes } of this.#counts) result.observe(value, attributes);
    });
    return this;
  }
}

/** Attributes of a duration, by the broker's node and the destination. */
export const attributesBy = (common: Attributes): ((server: Attributes) => (destination: string) => Attributes) =>
  remember((server) =>
    remember((destination) => ({ ...common, ...server, [A.messagingDestinationTemplate]: destination })),
  );

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
  const tally = (common: Attributes, name: string, description: string): Tally =>
    new Tally(common, A.messagingDestinationTemplate).observe(meter, name, { description, unit: MESSAGES });
  return {
    sent: tally(PUBLISH, M.sentMessages, "Messages published and confirmed"),
    consumed: tally(CONSUME, M.consumedMessages, "Messages delivered to this process"),
    parked: tally(SYSTEM, M.parked, "Messages that went to the dead letters"),
    faults: tally(SYSTEM, M.faults, "Times a message waited for a backing service"),
    republished: new Tally(SYSTEM, "reason").observe(meter, M.republished, {
      description: "Messages published again",
      unit: MESSAGES,
    }),
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
  const gauge = (name: string, options: MetricOptions, read: () => number): void =>
    meter.createObservableGauge(name, options).addCallback((result) => result.observe(read()));
  const isConnected = "1 while both connections are there and the topology is declared";
  gauge(M.brokerConnected, { description: isConnected }, () => (state.isConnected() ? 1 : 0));
  const isBlocked = "1 while an alarm of the broker blocks publishing";
  gauge(M.brokerBlocked, { description: isBlocked }, () => (state.isBlocked() ? 1 : 0));
  const held = "Bytes of messages that this process holds";
  gauge(M.heldBytes, { description: held, unit: "By" }, () => state.heldBytes());
  const unconfirmed = "Messages published and not yet confirmed";
  gauge(M.unconfirmed, { description: unconfirmed, unit: MESSAGES }, () => state.unconfirmed());
  const inHand = meter.createObservableGauge(M.inHand, { description: "Messages being handled", unit: MESSAGES });
  inHand.addCallback((result) => {
    for (const [mailbox, count] of state.inHand()) result.observe(count, { [A.messagingDestinationTemplate]: mailbox });
  });
}
