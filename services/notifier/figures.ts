// The notifier's metrics (names: shared/telemetry/names.ts) and the span of a POST.
import type { Context, Span } from "@opentelemetry/api";
import { metrics, SpanKind, trace } from "@opentelemetry/api";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import type { EventMessage } from "#shared/contracts/event.ts";
import { failSpan } from "#shared/telemetry/fail-span.ts";
import { ATTRIBUTES as A, METRICS as M } from "#shared/telemetry/names.ts";
import { contextOf } from "#shared/telemetry/propagate.ts";
import type { PostOutcome } from "./answer.ts";
import type { EndpointDetails } from "./endpoint.ts";
import type { Health } from "./health.ts";

const LAG_BUCKETS_S = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600, 86_400, 172_800];

export interface Figures {
  /** Tracking points that were written to the record. */
  countRecorded(points: number): void;
  countLate(): void;
  countPost(outcome: PostOutcome["kind"] | "dead" | "parked"): void;
  recordLag(seconds: number): void;
  /** Takes the ends of mails out of all that is recorded. */
  recordEnd(event: Pick<EventMessage, "meta" | "notification">): void;
}

export interface Gauges {
  endpoints(): Readonly<Record<Health["state"], number>>;
  /** Seconds that the record is behind. */
  recordAge(): number | undefined;
}

/** What two processes have timed may come to less than nothing, where the clock of one was set: a histogram takes no such value. */
export function createFigures(): Figures & { observe(gauges: Gauges): void } {
  const meter = metrics.getMeter("waypost.notifier");
  const recorded = meter.createCounter(M.recorded, { description: "Tracking points recorded" });
  const posts = meter.createCounter(M.notificationPosts, { description: "Batches by what came of them" });
  const lag = meter.createHistogram(M.notificationLag, {
    unit: "s",
    description: "Time from a tracking point to the answer of the endpoint that was told of it",
    advice: { explicitBucketBoundaries: LAG_BUCKETS_S },
  });
  const duration = meter.createHistogram(M.mailDuration, {
    unit: "s",
    description: "Time from a job's acceptance to the end of a mail",
    advice: { explicitBucketBoundaries: LAG_BUCKETS_S },
  });
  let late = 0;
  meter
    .createObservableCounter(M.late, { description: "Second, different ends of a mail; must stay 0" })
    .addCallback((result) => result.observe(late));
  return {
    countRecorded: (points) => recorded.add(points),
    countLate: () => {
      late += 1;
    },
    countPost: (outcome) => posts.add(1, { outcome }),
    recordLag: (seconds) => lag.record(Math.max(0, seconds)),
    recordEnd: ({ meta, notification }) => {
      const { state, type, ts } = notification.meta.event;
      if (state !== "FINISHED") return;
      const ms = Date.parse(ts) - Date.parse(meta.receivedTs);
      duration.record(Math.max(0, ms) / 1_000, { type });
    },
    observe: (gauges) => {
      meter.createObservableGauge(M.endpoints, { description: "Endpoints by state" }).addCallback((result) => {
        for (const [state, count] of Object.entries(gauges.endpoints())) result.observe(count, { state });
      });
      meter
        .createObservableGauge(M.recordAge, { unit: "s", description: "Age of the mark up to which all is recorded" })
        .addCallback((result) => {
          const age = gauges.recordAge();
          if (age !== undefined) result.observe(age);
        });
    },
  };
}

export interface PostSpan {
  readonly context: Context;
  end(outcome: PostOutcome): void;
}

function urlAttributes(url: string): Record<string, string | number> {
  const { protocol, hostname, port, origin, pathname } = new URL(url);
  const standard = protocol === "https:" ? 443 : 80;
  // The query may hold a token, as credentials do.
  return {
    [A.urlFull]: `${origin}${pathname}`,
    [A.serverAddress]: hostname,
    [A.serverPort]: port === "" ? standard : Number(port),
  };
}

function finish(span: Span, outcome: PostOutcome): void {
  if (outcome.status > 0) span.setAttribute(A.httpResponseStatusCode, outcome.status);
  if (outcome.kind !== "delivered") failSpan(span, outcome.status > 0 ? String(outcome.status) : "no_answer");
  span.end();
}

/** The span of a POST hangs on the job's own context, not on the queue's message (design, Telemetry). */
export function startPostSpan(batch: BatchMessage, details: EndpointDetails): PostSpan {
  const parent = contextOf(batch.traceparent);
  const span = trace.getTracer("waypost.notifier").startSpan("POST", { kind: SpanKind.CLIENT }, parent);
  if (span.isRecording()) {
    span.setAttributes({
      [A.httpRequestMethod]: "POST",
      ...urlAttributes(details.url),
      ...(batch.attempts === 0 ? {} : { [A.httpRequestResendCount]: batch.attempts }),
      [A.jobId]: batch.push.meta.jobId,
      [A.account]: details.account,
      [A.messagingBatchCount]: batch.push.notifications.length,
    });
  }
  return { context: trace.setSpan(parent, span), end: (outcome) => finish(span, outcome) };
}
