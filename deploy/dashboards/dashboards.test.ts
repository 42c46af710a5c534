// Dashboards and alerts ask only for metrics that the code has.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { METRICS } from "#shared/telemetry/names.ts";
import { expect, it } from "vitest";

/** Metrics of delivery's own, beside those of the table. */
const OTHERS = ["waypost.delivery.attempts", "waypost.delivery.attempt.duration", "waypost.lane.state"];
const known = new Set([...Object.values(METRICS), ...OTHERS].map((name) => name.replaceAll(".", "_")));

it.each(["waypost.json", "alerts.yaml"])("%s names metrics that exist", (file) => {
  const text = readFileSync(join(import.meta.dirname, file), "utf8");
  const named = [...text.matchAll(/\bwaypost_[a-z_]+/g)].map(([name]) => name.replace(/_(total|bucket)$/, ""));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});
