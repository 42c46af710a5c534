// Spans and figures of the broker client, by the messaging conventions (reference, section 2). The consumer's span has the
// message's context as parent: one job is one trace. Not recorded, a span costs an id; attributes are set on recorded ones.
import type { Attributes, Context, Span, Tracer } from "@opentelemetry/api";
import { context, metrics, SpanKind, trace } from "@opentelemetry/api";
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { Outgoing } from "#shared/broker/actor.ts";
import { destinationTemplate } from "#shared/broker/topology.ts";
import type { Job, Outcome } from "#shared/broker/worker.ts";
import type { BrokerServers } from "./broker-servers.ts";
import { failSpan } from "./fail-span.ts";
import type { BrokerState, Figures } from "./messaging-figures.ts";
import { attributesBy, CONSUME, createFigures, observeBroker, PUBLISH } from "./messaging-figures.ts";
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
  servers: BrokerServers;
}

export function createMessagingTelemetry(options: MessagingTelemetryOptions): MessagingTelemetry {
  const tracer = trace.getTracer("waypost.broker");
  const meter = metrics.getMeter("waypost.broker");
  const figures = createFigures(meter);
  const steady = createSteadyClock(options.clock);
  const { publishing, consuming } = options.servers;
  const parts = { consuming, steady, record: createProcessRecorder(figures, steady, consuming) };
  return {
    ...createPublishSpans(tracer, figures, publishing),
    ...createConsumeSpans(tracer, parts),
    ...createBatchSpans(tracer, parts),
    countConsumed: (queue) => figures.consumed.add(consuming(), destinationTemplate(queue)),
    countParked: (queue) => figures.parked.add(consuming(), destinationTemplate(queue)),
    countFault: (queue) => figures.faults.add(consuming(), destinationTemplate(queue)),
    countRepublish: (why) => figures.republished.add(publishing(), why),
    watch: (state) => observeBroker(meter, state),
  };
}

function createPublishSpans(
  tracer: Tracer,
  figures: Figures,
  publishing: BrokerServers["publishing"],
): Pick<MessagingTelemetry, "startPublish" | "endPublish"> {
  const attributesOf = attributesBy(PUBLISH);
  return {
    startPublish: (message, bytes, parent) => {
      const base = message.traceparent === undefined ? (parent ?? context.active()) : contextOf(message.traceparent);
      const span = tracer.startSpan(`publish ${message.exchange || "amq.default"}`, { kind: SpanKind.PRODUCER }, base);
      const traceparent = traceparentOfSpan(span.spanContext());
      if (!span.isRecording()) return { span: undefined, traceparent };
      span.setAttributes(publishAttributes(message, bytes));
      return { span: { span }, traceparent };
    },
    endPublish: (message, published, end) => {
      const exchange = message.exchange || "amq.default";
      const server = publishing();
      if (end.error === undefined) figures.sent.add(server, exchange);
      if (end.seconds !== undefined) {
        const attributes = withError(attributesOf(server)(exchange), end.error);
        figures.operationDuration.record(Math.max(0, end.seconds), attributes);
      }
      if (published === undefined) return;
      published.span.setAttributes(server);
      if (end.error !== undefined) failSpan(published.span, end.error);
      published.span.end();
    },
  };
}

function withError(attributes: Attributes, error: string | undefined): Attributes {
  return error === undefined ? attributes : { ...attributes, [A.errorType]: error };
}

function publishAttributes(message: Outgoing, bytes: number): Attributes {
  const { exchange, routingKey } = message;
  const parts = [exchange, routingKey].filter((part) => part !== "");
  return {
    ...PUBLISH,
    [A.messagingDestinationName]: parts.join(":") || "amq.default",
    [A.messagingDestinationTemplate]: exchange || "amq.default",
    ...(routingKey === "" ? {} : { [A.messagingRoutingKey]: routingKey }),
    ...(message.messageId === undefined ? {} : { [A.messagingMessageId]: message.messageId }),
    ...(message.correlationId === undefined ? {} : { [A.messagingConversationId]: message.correlationId }),
    [A.messagingBodySize]: bytes,
  };
}

interface ConsumeParts {
  consuming: BrokerServers["consuming"];
  /** For how long a message takes: a clock that is set meanwhile would give less than nothing. */
  steady: Clock;
  record: ProcessRecorder;
}

type ProcessRecorder = (
  processed: Pick<Consumed | ConsumedBatch, "queue" | "startedMs">,
  error: string | undefined,
) => void;

function createProcessRecorder(
  figures: Figures,
  steady: Clock,
  consuming: BrokerServers["consuming"],
): ProcessRecorder {
  const attributesOf = attributesBy(CONSUME);
  return ({ queue, startedMs }, error) => {
    const attributes = withError(attributesOf(consuming())(destinationTemplate(queue)), error);
    figures.processDuration.record((steady.nowMs() - startedMs) / 1_000, attributes);
  };
}

function errorOf(outcome: Outcome): string | undefined {
  if (outcome === undefined) return "lost";
  return outcome.kind === "done" ? undefined : outcome.kind;
}

function createConsumeSpans(
  tracer: Tracer,
  { consuming, steady, record }: ConsumeParts,
): Pick<MessagingTelemetry, "startConsume" | "endConsume"> {
  return {
    startConsume: (job) => {
      const started = startMessageSpan(tracer, consuming, job);
      return { ...started, queue: job.delivery.queue, startedMs: steady.nowMs() };
    },
    endConsume: (consumed, outcome) => {
      record(consumed, errorOf(outcome));
      endMessageSpan(consumed.span, outcome);
    },
  };
}

function startMessageSpan(
  tracer: Tracer,
  consuming: BrokerServers["consuming"],
  job: Job<unknown>,
): { span: Span; context: Context } {
  const { delivery } = job;
  const parent = contextOf(delivery.traceparent);
  const name = `consume ${destinationTemplate(delivery.queue)}`;
  const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER }, parent);
  if (span.isRecording()) span.setAttributes({ ...consuming(), ...consumeAttributes(job) });
  return { span, context: trace.setSpan(parent, span) };
}

function endMessageSpan(span: Span, outcome: Outcome): void {
  if (!span.isRecording()) return;
  const error = errorOf(outcome);
  span.setAttribute(A.verdict, error ?? "done");
  if (error !== undefined) failSpan(span, error);
  span.end();
}

function consumeAttributes({ delivery, held }: Job<unknown>): Attributes {
  const { exchange, routingKey, queue, properties } = delivery;
  const parts = [exchange, routingKey, routingKey === queue ? "" : queue].filter((part) => part !== "");
  return {
    ...CONSUME,
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
  { consuming, steady, record }: ConsumeParts,
): Pick<MessagingTelemetry, "startConsumeBatch" | "endConsumeBatch"> {
  return {
    startConsumeBatch: (jobs) => {
      const queue = jobs[0]?.delivery.queue ?? "";
      const span = tracer.startSpan(`consume ${destinationTemplate(queue)}`, { kind: SpanKind.CONSUMER, root: true });
      const messages = jobs.map((job) => startMessageSpan(tracer, consuming, job));
      if (span.isRecording()) describeBatch(span, consuming(), { jobs, queue });
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
      let error: string | undefined;
      for (const [index, span] of batch.spans.entries()) {
        error ??= errorOf(outcomes[index]);
        endMessageSpan(span, outcomes[index]);
      }
      record(batch, error);
      batch.span.end();
    },
  };
}

function describeBatch(span: Span, server: Attributes, batch: { jobs: readonly Job<unknown>[]; queue: string }): void {
  span.setAttributes({
    ...CONSUME,
    ...server,
    [A.messagingDestinationName]: batch.queue,
    [A.messagingBatchCount]: batch.jobs.length,
  });
  for (const job of batch.jobs) {
    const origin = trace.getSpanContext(contextOf(job.delivery.traceparent));
    if (origin !== undefined) span.addLink({ context: origin, attributes: consumeAttributes(job) });
  }
}
