// What the bench prints: of each figure the minimum, median and maximum, its ratio to Postfix, of the medians and round by
// round, and to ZoneMTA; and under which circumstances it was measured. docs/performance.md takes it as it is.
import { cpus, release, totalmem } from "node:os";
import type { Row } from "./ground.ts";
import { spread } from "./processes.ts";
import type { Measured } from "./rounds.ts";

export type Sample = Partial<Measured> & {
  /** Figures of the same round were measured one after the other, so they bear comparison best. */
  round: number;
  singleP50?: number;
  singleP99?: number;
  /** The five services on a mail's way. */
  servicesMib?: number;
};

/** What each line of the bench measured, round by round. */
export type Samples = Map<string, Sample[]>;

type Figure = Exclude<keyof Sample, "round" | "left">;

const FIGURES: readonly { key: Figure; title: string; digits: number }[] = [
  { key: "accepted", title: "accepted / s", digits: 0 },
  { key: "relayed", title: "relayed end to end / s", digits: 0 },
  { key: "cpuPerThousand", title: "CPU s / 1,000 mails, all processes", digits: 2 },
  { key: "memoryMib", title: "memory, PSS MiB, all processes", digits: 0 },
  { key: "servicesMib", title: "memory of the five services, PSS MiB", digits: 0 },
  { key: "singleP50", title: "single mail, acceptance to the relay's 250, p50 ms", digits: 1 },
  { key: "singleP99", title: "the same, p99 ms", digits: 1 },
];

const POSTFIX = "postfix";
const ZONE_MTA = "zone-mta";
/** Of fewer rounds there is no median. */
const LEAST_ROUNDS = 3;

export function machineLine(): string {
  const [processor] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `Machine: ${cpus().length} × ${processor?.model.trim() ?? "?"}, ${memory}, Linux ${release()}.`;
}

/** When and how it ran, and what. */
export function runLines(versions: Iterable<string>): string {
  const command = ["npm run bench --", ...process.argv.slice(2).map((word) => (word === "" ? '""' : word))].join(" ");
  return `${machineLine()} ${[...versions].join("; ")}.\n\`${command}\`, ${new Date().toISOString().slice(0, 10)}.`;
}

/** The figure by the round it was measured in. */
function byRound(samples: Samples, name: string, key: Figure): Map<number, number> {
  const found = (samples.get(name) ?? []).map((sample) => [sample.round, sample[key]] as const);
  return new Map(found.filter((pair): pair is readonly [number, number] => pair[1] !== undefined));
}

function ratio(value: number, reference: number): string {
  return Number.isNaN(reference) ? "" : (value / reference).toFixed(2);
}

/** A Markdown table: a row for each figure and line of the bench. */
export function resultTable(samples: Samples): string {
  const rows = FIGURES.flatMap(({ key, title, digits }) => {
    const [postfix, zoneMta] = [POSTFIX, ZONE_MTA].map((name) => byRound(samples, name, key));
    const median = (values: Map<number, number> | undefined): number => spread([...(values?.values() ?? [])]).median;
    return [...samples.keys()].flatMap((name) => {
      const rounds = byRound(samples, name, key);
      if (rounds.size === 0) return [];
      const { min, max } = spread([...rounds.values()]);
      const middle = median(rounds);
      const pairs = [...rounds].map(([round, value]) => ratio(value, postfix?.get(round) ?? Number.NaN));
      const numbers = [min, middle, max].map((value) => value.toFixed(digits));
      if (rounds.size > 1 && rounds.size < LEAST_ROUNDS) numbers[1] = `mean ${numbers[1]}`;
      const ratios = [ratio(middle, median(postfix)), pairs.filter((text) => text !== "").join(", ")];
      return `| ${[title, name, rounds.size, ...numbers, ...ratios, ratio(middle, median(zoneMta))].join(" | ")} |`;
    });
  });
  return [
    "| figure | line | rounds | min | median | max | to Postfix | in the same round | to ZoneMTA |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

/** Lines whose figures are of fewer mails than were fed. */
export function remarksOf(samples: Samples): string[] {
  return [...samples].flatMap(([name, measured]) =>
    measured
      .filter(({ left }) => left !== undefined && left > 0)
      .map(
        ({ round, left }) =>
          `${name}, round ${round}: ${left} mails were not passed on in time; its rate is of the others.`,
      ),
  );
}

export function measuredText({ accepted, relayed, cpuPerThousand, memoryMib, left }: Measured): string {
  const rest = left === 0 ? "" : `, ${left} not passed on in time`;
  return `accepted ${accepted.toFixed(0)}/s, relayed ${relayed.toFixed(0)}/s, CPU ${cpuPerThousand.toFixed(2)} s/1,000, ${memoryMib.toFixed(0)} MiB${rest}`;
}

/** A Markdown table: a row for each scenario. */
export function scenarioTable(rows: readonly Row[]): string {
  const lines = rows.map(({ scenario, measured, note = "" }) => {
    const figures =
      measured === undefined
        ? ["", "", ""]
        : [measured.accepted.toFixed(0), measured.relayed.toFixed(0), measured.cpuPerThousand.toFixed(2)];
    const rest = measured === undefined || measured.left === 0 ? "" : ` (${measured.left} not passed on in time)`;
    return `| ${[scenario, ...figures, `${note}${rest}`].join(" | ")} |`;
  });
  return [
    "| scenario | accepted / s | relayed / s | CPU s / 1,000 mails | |",
    "| --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}
