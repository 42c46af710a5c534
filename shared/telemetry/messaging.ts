// Spans and figures of the broker client, by the messaging conventions (reference, section 2). The consumer's span has the
// message's context as parent: one job is one trace. Not recorded, a span costs an id; attributes are set on recorded ones.
import type { Attributes, Context, Span, Tracer } from "@opentelemetry/api";
import { context, metrics, SpanKind, trace } from "@opentelemetry/api";
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { Outgoing } from "#shared/broker/actor.ts";
import { destinationTemplate } from "#shared/broker/topology.ts";
import type { Job, Outcome } from "#shared/broker/worker.ts";
import { failSpan } from "./fail-span.ts";
import type { BrokerState, Figures } from "./messaging-figures.ts";
import { createFigures, observeBroker, SYSTEM } from "./messaging-figures.ts";
import { ATTRIBUTES as A } from "./names.ts";
import { contextOf, traceparentOfSpan } from "./propagate.ts";

export interface PublishSpan {
  readonly span: Span;
}

export interface PublishEnd {
  /** Since it was sent; undefined where it never was. */
  seconds: number | undefined;
  /** Why it was given up; undefined where it was confirmed. */
  error?: string | undefined;
}

export interface Consumed {
  readonly span: Span;
  readonly context: Context;
  readonly queue: string;
  readonly startedMs: number;
}

export interface ConsumedBatch {
  readonly context: Context;
  readonly span: Span;
  /** Of each delivery, in order: what follows from it hangs on this. */
  readonly parents: readonly Context[];
  readonly spans: readonly Span[];
  readonly queue: string;
  readonly startedMs: number;
}

export interface MessagingTelemetry {
  startPublish(
    message: Outgoing,
    bytes: number,
    parent: Context | undefined,
  ): { span: PublishSpan | undefined; traceparent: string | undefined };
  endPublish(message: Outgoing, span: PublishSpan | undefined, end: PublishEnd): void;
  startConsume(job: Job<unknown>): Consumed;
  endConsume(consumed: Consumed, outcome: Outcome): void;
  startConsumeBatch(jobs: readonly Job<unknown>[]): ConsumedBatch;
  /** With the outcomes in the order of the jobs. */
  endConsumeBatch(batch: ConsumedBatch, outcomes: readonly Outcome[]): void;
  countConsumed(queue: string): void;
  countParked(queue: string): void;
  countFault(queue: string): void;
  countRepublish(why: "unconfirmed" | "returned"): void;
  /** Shows in the metrics, from now on, how the broker client is. */
  watch(state: BrokerState): void;
}

export interface MessagingTelemetryOptions {
  clock: Clock;
  server?: { address: string; port: number };
}

export function createMessagingTelemetry(options: MessagingTelemetryOptions): MessagingTelemetry {
  const tracer = trace.getTracer("waypost.broker");
  const meter = metrics.getMeter("waypost.broker");
  const figures = createFigures(meter);
  const steady = createSteadyClock(options.clock);
  const common: Attributes = {
    [A.messagingSystem]: SYSTEM,
    ...(options.server === undefined
      ? {}
      : { [A.serverAddress]: options.server.address, [A.serverPort]: options.server.port }),
  };
  return {
    ...createPublishSpans(tracer, figures, common),
    ...createConsumeSpans(tracer, { figures, common, steady }),
    ...createBatchSpans(tracer, { figures, common, steady }),
    countConsumed: (queue) => figures.consumed.add(destinationTemplate(queue)),
    countParked: (queue) => figures.parked.add(destinationTemplate(queue)),
    countFault: (queue) => figures.faults.add(destinationTemplate(queue)),
    countRepublish: (why) => figures.republished.add(why),
    watch: (state) => observeBroker(meter, state),
  };
}

function createPublishSpans(
  tracer: Tracer,
  figures: Figures,
  common: Attributes,
): Pick<MessagingTelemetry, "startPublish" | "endPublish"> {
  return {
    startPublish: (message, bytes, parent) => {
      const base = message.traceparent === undefined ? (parent ?? context.active()) : contextOf(message.traceparent);
      const span = tracer.startSpan(`publish ${message.exchange || "amq.default"}`, { kind: SpanKind.PRODUCER }, base);
      const traceparent = traceparentOfSpan(span.spanContext());
      if (!span.isRecording()) return { span: undefined, traceparent };
      span.setAttributes({ ...common, ...publishAttributes(message, bytes) });
      return { span: { span }, traceparent };
    },
    endPublish: (message, published, end) => {
      const exchange = message.exchange || "amq.default";
      if (end.error === undefined) figures.sent.add(exchange);
      if (end.seconds !== undefined) {
        figures.operationDuration.record(Math.max(0, end.seconds), operationAttributes(exchange, end.error));
      }
      if (published === undefined) return;
      if (end.error !== undefined) failSpan(published.span, end.error);
      published.span.end();
    },
  };
}

function operationAttributes(exchange: string, error: string | undefined): Attributes {
  return {
    [A.messagingSystem]: SYSTEM,
    [A.messagingOperationName]: "publish",
    [A.messagingOperationType]: "send",
    [A.messagingDestinationTemplate]: exchange,
    ...(error === undefined ? {} : { [A.errorType]: error }),
  };
}

function publishAttributes(message: Outgoing, bytes: number): Attributes {
  const { exchange, routingKey } = message;
  const parts = [exchange, routingKey].filter((part) => part !== "");
  return {
    [A.messagingOperationName]: "publish",
    [A.messagingOperationType]: "send",
    [A.messagingDestinationName]: parts.join(":") || "amq.default",
    [A.messagingDestinationTemplate]: exchange || "amq.default",
    ...(routingKey === "" ? {} : { [A.messagingRoutingKey]: routingKey }),
    ...(message.messageId === undefined ? {} : { [A.messagingMessageId]: message.messageId }),
    ...(message.correlationId === undefined ? {} : { [A.messagingConversationId]: message.correlationId }),
    [A.messagingBodySize]: bytes,
  };
}

interface ConsumeParts {
  figures: Figures;
  common: Attributes;
  /** For how long a message takes: a clock that is set meanwhile would give less than nothing. */
  steady: Clock;
}

function createConsumeSpans(
  tracer: Tracer,
  { figures, common, steady }: ConsumeParts,
): Pick<MessagingTelemetry, "startConsume" | "endConsume"> {
  return {
    startConsume: (job) => {
      const started = startMessageSpan(tracer, common, job);
      return { ...started, queue: job.delivery.queue, startedMs: steady.nowMs() };
    },
    endConsume: (consumed, outcome) => {
      figures.processDuration.record((steady.nowMs() - consumed.startedMs) / 1_000, durationAttributes(consumed.queue));
      endMessageSpan(consumed.span, outcome);
    },
  };
}

function startMessageSpan(tracer: Tracer, common: Attributes, job: Job<unknown>): { span: Span; context: Context } {
  const { delivery } = job;
  const parent = contextOf(delivery.traceparent);
  const name = `consume ${destinationTemplate(delivery.queue)}`;
  const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER }, parent);
  if (span.isRecording()) span.setAttributes({ ...common, ...consumeAttributes(job) });
  return { span, context: trace.setSpan(parent, span) };
}

function endMessageSpan(span: Span, outcome: Outcome): void {
  if (!span.isRecording()) return;
  const verdict = outcome === undefined ? "lost" : outcome.kind;
  span.setAttribute(A.verdict, verdict);
  if (verdict !== "done") failSpan(span, verdict);
  span.end();
}

function consumeAttributes({ delivery, held }: Job<unknown>): Attributes {
  const { exchange, routingKey, queue, properties } = delivery;
  const parts = [exchange, routingKey, routingKey === queue ? "" : queue].filter((part) => part !== "");
  return {
    [A.messagingOperationName]: "consume",
    [A.messagingOperationType]: "process",
    [A.messagingDestinationName]: parts.join(":"),
    [A.messagingDestinationTemplate]: destinationTemplate(queue),
    ...(routingKey === "" ? {} : { [A.messagingRoutingKey]: routingKey }),
    ...(properties.messageId === undefined ? {} : { [A.messagingMessageId]: properties.messageId }),
    ...(properties.correlationId === undefined ? {} : { [A.messagingConversationId]: properties.correlationId }),
    [A.messagingBodySize]: delivery.bytes,
    [A.messagingDeliveryTag]: held.raw.fields.deliveryTag,
    [A.suspect]: delivery.suspect,
  };
}

/** A batch has a span of its own with a link to each message, and each message its own span in its job's trace. */
function createBatchSpans(
  tracer: Tracer,
  { figures, common, steady }: ConsumeParts,
): Pick<MessagingTelemetry, "startConsumeBatch" | "endConsumeBatch"> {
  return {
    startConsumeBatch: (jobs) => {
      const queue = jobs[0]?.delivery.queue ?? "";
      const span = tracer.startSpan(`consume ${destinationTemplate(queue)}`, { kind: SpanKind.CONSUMER, root: true });
      const messages = jobs.map((job) => startMessageSpan(tracer, common, job));
      if (span.isRecording()) describeBatch(span, common, { jobs, queue });
      return {
        context: trace.setSpan(context.active(), span),
        span,
        parents: messages.map((message) => message.context),
        spans: messages.map((message) => message.span),
        queue,
        startedMs: steady.nowMs(),
      };
    },
    endConsumeBatch: (batch, outcomes) => {
      const seconds = (steady.nowMs() - batch.startedMs) / 1_000;
      figures.processDuration.record(seconds, durationAttributes(batch.queue));
      for (const [index, span] of batch.spans.entries()) endMessageSpan(span, outcomes[index]);
      batch.span.end();
    },
  };
}

function describeBatch(span: Span, common: Attributes, batch: { jobs: readonly Job<unknown>[]; queue: string }): void {
  span.setAttributes({
    ...common,
    [A.messagingOperationName]: "consume",
    [A.messagingOperationType]: "process",
    [A.messagingDestinationName]: batch.queue,
    [A.messagingBatchCount]: batch.jobs.length,
  });
  for (const job of batch.jobs) {
    const origin = trace.getSpanContext(contextOf(job.delivery.traceparent));
    if (origin !== undefined) span.addLink({ context: origin, attributes: consumeAttributes(job) });
  }
}

function durationAttributes(queue: string): Attributes {
  return {
    [A.messagingSystem]: SYSTEM,
    [A.messagingOperationName]: "consume",
    [A.messagingDestinationTemplate]: destinationTemplate(queue),
  };
}
