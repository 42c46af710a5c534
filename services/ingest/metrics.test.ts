import { expect, it } from "vitest";
import { recordMetrics } from "#test/support/recorded-metrics.ts";
import { createIngestMetrics } from "./metrics.ts";
import type { Submission } from "./submission.ts";

const { exporter, reader } = recordMetrics();

it("tells submissions apart by their way in and what came of them", async () => {
  const ingest = createIngestMetrics(() => 1);
  const accepted = { kind: "accepted", jobId: "job-1" } as const;
  for (const way of ["rest", "smtp", "broker"] as const) ingest.count(accepted, { way } as Submission, 5);
  await reader.forceFlush();
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const submissions = all.find(({ descriptor }) => descriptor.name === "waypost.ingest.submissions");
  expect(submissions?.dataPoints.map(({ attributes }) => attributes)).toEqual(
    ["rest", "smtp", "broker"].map((way) => ({ way, outcome: "accepted" })),
  );
});
