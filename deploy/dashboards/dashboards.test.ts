// Dashboards and alerts ask only for metrics and labels that the code has.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ATTRIBUTES, METRICS } from "#shared/telemetry/names.ts";
import { expect, it } from "vitest";

/** Metrics of delivery's own, beside those of the table. */
const OTHERS = ["waypost.delivery.attempts", "waypost.delivery.attempt.duration", "waypost.lane.state"];
const nameOf = (name: string): string => name.replaceAll(".", "_");
const known = new Set([...Object.values(METRICS), ...OTHERS].map(nameOf));

/** What the code tells metrics apart by; each also has the scrape's `instance` and, a histogram, `le`. */
const LABELS: Readonly<Record<string, readonly string[]>> = {
  [METRICS.submissions]: ["way", "outcome"],
  [METRICS.parked]: [ATTRIBUTES.messagingDestinationTemplate],
  [METRICS.faults]: [ATTRIBUTES.messagingDestinationTemplate],
  [METRICS.notificationPosts]: ["outcome"],
  [METRICS.endpoints]: ["state"],
  [METRICS.certificateExpiry]: ["domain"],
  "waypost.delivery.attempts": ["relay", "outcome", "blame"],
  "waypost.lane.state": ["lane", "state"],
};
const labelsOf = new Map(Object.entries(LABELS).map(([name, labels]) => [nameOf(name), labels.map(nameOf)]));

const read = (...path: readonly string[]): string => readFileSync(join(import.meta.dirname, ...path), "utf8");
const metricsIn = (text: string): string[] =>
  [...text.matchAll(/\bwaypost_[a-z_]+/g)].map(([name]) => name.replace(/_(total|bucket)$/, ""));

it.each(["waypost.json", "alerts.yaml"])("%s names metrics that exist", (file) => {
  const named = metricsIn(read(file));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

it.each(["waypost.json", "alerts.yaml"])("%s groups by labels that its metrics have, and shows those", (file) => {
  const lines = read(file).split("\n");
  const wrong = lines.flatMap((line, index) => {
    const metrics = metricsIn(line);
    if (metrics.length === 0) return [];
    const grouped = [...line.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = ""]) => labels.split(/, ?/));
    const legend = lines[index + 1]?.includes("legendFormat") === true ? lines[index + 1] : "";
    const shown = [...(legend ?? "").matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
    const has = (label: string): boolean =>
      ["instance", "le"].includes(label) || metrics.every((name) => labelsOf.get(name)?.includes(label) === true);
    return [...grouped.filter((label) => !has(label)), ...shown.filter((label) => !grouped.includes(label))];
  });
  expect(wrong).toEqual([]);
});

it("alerts of every metric that the manual calls an alarm", () => {
  const manual = read("..", "..", "docs", "operating.md").split("\n");
  const alarms = metricsIn(manual.filter((line) => line.startsWith("| `waypost_")).join("\n"));
  expect(alarms.length).toBeGreaterThan(3);
  const rules = metricsIn(read("alerts.yaml"));
  expect(alarms.filter((name) => !rules.includes(name))).toEqual([]);
});
