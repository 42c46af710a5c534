// What the bench prints: minimum, median and maximum of each figure, and its ratio to Postfix in the same run.
import { cpus, release, totalmem } from "node:os";
import type { Row } from "./ground.ts";
import { spread } from "./processes.ts";
import type { Measured } from "./rounds.ts";

export type Samples = Map<string, Measured[]>;

const FIGURES: readonly { key: keyof Measured; title: string; digits: number }[] = [
  { key: "accepted", title: "accepted / s", digits: 0 },
  { key: "relayed", title: "relayed end to end / s", digits: 0 },
  { key: "cpuPerThousand", title: "CPU s / 1,000 mails", digits: 2 },
  { key: "memoryMib", title: "memory, PSS MiB", digits: 0 },
];

const PEER = "postfix";

export function machineLine(): string {
  const [processor] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${cpus().length} × ${processor?.model.trim() ?? "?"}, ${memory}, Linux ${release()}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
}

/** A Markdown table: a row for each figure and line of the bench. */
export function resultTable(samples: Samples): string {
  const rows = FIGURES.flatMap(({ key, title, digits }) => {
    const reference = spread((samples.get(PEER) ?? []).map((sample) => sample[key])).median;
    return [...samples].map(([name, values]) => {
      const { min, median, max } = spread(values.map((sample) => sample[key]));
      const ratio = Number.isNaN(reference) ? "" : (median / reference).toFixed(2);
      const numbers = [min, median, max].map((value) => value.toFixed(digits));
      return `| ${[title, name, ...numbers, ratio].join(" | ")} |`;
    });
  });
  return [
    "| figure | line | min | median | max | ratio to Postfix |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

export function measuredText({ accepted, relayed, cpuPerThousand, memoryMib }: Measured): string {
  return `accepted ${accepted.toFixed(0)}/s, relayed ${relayed.toFixed(0)}/s, CPU ${cpuPerThousand.toFixed(2)} s/1,000, ${memoryMib.toFixed(0)} MiB`;
}

/** A Markdown table: a row for each scenario. */
export function scenarioTable(rows: readonly Row[]): string {
  const lines = rows.map(({ scenario, measured, note = "" }) => {
    const figures =
      measured === undefined
        ? ["", "", ""]
        : [measured.accepted.toFixed(0), measured.relayed.toFixed(0), measured.cpuPerThousand.toFixed(2)];
    return `| ${[scenario, ...figures, note].join(" | ")} |`;
  });
  return [
    "| scenario | accepted / s | relayed / s | CPU s / 1,000 mails | |",
    "| --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}
