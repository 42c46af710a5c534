// What ingest counts: submissions by way and outcome, mails accepted, how long accepting takes.
import { metrics } from "@opentelemetry/api";
import { DURATION_BUCKETS_S, METRICS } from "#shared/telemetry/names.ts";
import type { Acceptance, Submission } from "./submission.ts";

export interface IngestMetrics {
  count(acceptance: Acceptance, submission: Submission, durationMs: number): void;
}

function outcomeOf(acceptance: Acceptance): string {
  return acceptance.kind === "refused" ? `refused_${acceptance.problem.status}` : acceptance.kind;
}

export function createIngestMetrics(countMails: (submission: Submission) => number): IngestMetrics {
  const meter = metrics.getMeter("waypost");
  const submissions = meter.createCounter(METRICS.submissions, { description: "Submissions by way in and outcome" });
  const mails = meter.createCounter(METRICS.acceptedMails, { description: "Mails of accepted jobs" });
  const duration = meter.createHistogram(METRICS.acceptDuration, {
    description: "From a checked submission to its answer",
    unit: "s",
    advice: { explicitBucketBoundaries: [...DURATION_BUCKETS_S] },
  });
  return {
    count: (acceptance, submission, durationMs) => {
      const { way } = submission;
      submissions.add(1, { way, outcome: outcomeOf(acceptance) });
      duration.record(durationMs / 1_000, { way });
      if (acceptance.kind !== "accepted" || acceptance.isRepeated === true) return;
      mails.add(countMails(submission), { way });
    },
  };
}
