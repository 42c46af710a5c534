import { expect, it } from "vitest";
import { recordMetrics } from "#test/support/recorded-metrics.ts";
import { createIngestMetrics } from "./metrics.ts";
import type { Submission } from "./submission.ts";

const { exporter, reader } = recordMetrics();
const accepted = { kind: "accepted", jobId: "job-1" } as const;

async function pointsOf(name: string): Promise<{ attributes: unknown; value: unknown }[]> {
  await reader.forceFlush();
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return all.findLast(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
}

it("tells submissions apart by their way in and what came of them", async () => {
  const ingest = createIngestMetrics(() => 1);
  for (const way of ["rest", "smtp", "broker"] as const) ingest.count(accepted, { way } as Submission, 5);
  const submissions = await pointsOf("waypost.ingest.submissions");
  expect(submissions.map(({ attributes }) => attributes)).toEqual(
    ["rest", "smtp", "broker"].map((way) => ({ way, outcome: "accepted" })),
  );
});

it("counts the mails of a job once, however often its key is repeated", async () => {
  const ingest = createIngestMetrics(() => 7);
  const count = async (): Promise<unknown> => (await pointsOf("waypost.ingest.mails"))[0]?.value;
  ingest.count(accepted, { way: "rest" } as Submission, 5);
  const first = await count();
  ingest.count({ ...accepted, isRepeated: true }, { way: "rest" } as Submission, 5);
  expect(await count()).toBe(first);
});
