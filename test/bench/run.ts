// `npm run bench`: Waypost, Postfix and ZoneMTA in interleaved rounds, then what Waypost does under other loads. Prints the
// tables of docs/performance.md. Ends within --minutes, whatever is left to do then; Ctrl-C ends everything it started.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endProcessesOf, RUN_MARK } from "#deploy/local/processes.ts";
import { ceiling, compare } from "./compare.ts";
import type { Row } from "./ground.ts";
import { GROWTH } from "./growth.ts";
import { endPostfixBelow } from "./peers/postfix.ts";
import { startWaypost } from "./peers/waypost.ts";
import { machineLine, remarksOf, resultTable, runLines, scenarioTable } from "./report.ts";
import type { Samples } from "./report.ts";
import { SCENARIOS } from "./scenarios.ts";
import { Sink } from "./sink.ts";
import { startTold } from "./told.ts";

const ALL = { ...SCENARIOS, ...GROWTH };
/** Names for several: `--scenarios growth` alone with `--peers ""` is what takes long beside the rounds. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  loads: Object.keys(SCENARIOS),
  growth: Object.keys(GROWTH),
};

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "12" },
    rounds: { type: "string", default: "3" },
    mails: { type: "string", default: "5000" },
    bytes: { type: "string", default: "10240" },
    connections: { type: "string", default: "50" },
    peers: { type: "string", default: "postfix,waypost,zone-mta" },
    singles: { type: "string", default: "300" },
    scenarios: { type: "string", default: Object.keys(ALL).join(",") },
    waiting: { type: "string", default: "20000" },
  },
});

const load = { mails: Number(values.mails), sessions: Number(values.connections), bytes: Number(values.bytes) };
const namesOf = (list: string): string[] =>
  list
    .split(",")
    .filter((name) => name !== "")
    .flatMap((name) => GROUPS[name] ?? [name]);
const say = (text: string): void => console.log(text);
const startedMs = performance.now();
const passedMs = (): number => performance.now() - startedMs;
const budgetMs = Number(values.minutes) * 60_000;
/** Rounds have this share of the time, the scenarios the rest; the last minute is for stopping. */
const ROUNDS_SHARE = 0.55;
const STOP_MS = 45_000;

const directory = mkdtempSync(join(tmpdir(), "waypost-bench-"));
execFileSync("chmod", ["755", directory]);
// Whatever is started from here on carries the mark, sources included.
process.env[RUN_MARK] = directory;

/** Nothing is kept of a run, so nothing is asked to end in good order. */
async function clean(): Promise<void> {
  await endPostfixBelow(directory).catch((error: unknown) => console.error(error));
  await endProcessesOf(directory, 0);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

const samples: Samples = new Map();
const rows: Row[] = [];
const versions = new Set<string>();
const remarks: string[] = [];

function report(): void {
  say(`\n${runLines(versions)}`);
  say(`${load.mails} mails of ${load.bytes} bytes, ${load.sessions} sessions in, at most ${load.sessions} out.\n`);
  if (samples.size > 0) say(resultTable(samples));
  for (const remark of [...remarksOf(samples), ...remarks]) say(`\n${remark}`);
  if (rows.length > 0) say(`\n${scenarioTable(rows)}`);
}

async function scenarios(sink: Sink, sinkPort: number): Promise<void> {
  const place = join(directory, "scenarios");
  mkdirSync(place, { recursive: true });
  const told = await startTold();
  const env = { WAYPOST_RETRY_SCHEDULE: "2s", WAYPOST_NOTIFY_LINGER: "1s" };
  const waypost = await startWaypost({ directory: place, sinkPort, connections: load.sessions, env });
  versions.add(waypost.version);
  try {
    for (const name of namesOf(values.scenarios)) {
      if (isEnding) return;
      if (passedMs() > budgetMs - STOP_MS) {
        rows.push({ scenario: name, note: "no time was left" });
        continue;
      }
      say(`scenario: ${name} (${(passedMs() / 60_000).toFixed(1)} min)`);
      const ground = { waypost, sink, sinkPort, told, load, waiting: Number(values.waiting) };
      const found = await ALL[name]?.(ground).catch((error: unknown): Row[] => [
        { scenario: name, note: `failed: ${error instanceof Error ? error.message : String(error)}` },
      ]);
      rows.push(...(found ?? []));
      say(scenarioTable(found ?? []));
    }
  } finally {
    await waypost.stop();
    await told.stop();
  }
}

async function main(): Promise<void> {
  const sink = new Sink();
  const sinkPort = await sink.listen();
  const comparison = {
    directory,
    peers: namesOf(values.peers),
    rounds: Number(values.rounds),
    load,
    singles: Number(values.singles),
    sink,
    sinkPort,
    say,
    isOver: () => isEnding || passedMs() > budgetMs * ROUNDS_SHARE,
    versions,
    remarks,
  };
  say(machineLine());
  say(await ceiling(comparison));
  await compare(comparison, samples);
  if (namesOf(values.scenarios).length > 0) await scenarios(sink, sinkPort);
  await sink.stop();
}

/** Ends the run: what is still at work must not start anything after `clean` has looked, nor report what that broke. */
let isEnding = false;
function end(): void {
  if (isEnding) return;
  isEnding = true;
  // The connections of what is killed now break, wherever their owners are.
  process.on("uncaughtException", () => undefined);
  void clean().finally(() => process.exit(1));
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
const late = setTimeout(() => {
  say("the time is over");
  report();
  end();
}, budgetMs);
try {
  await main();
  if (!isEnding) report();
} catch (error) {
  if (!isEnding) console.error(error);
  process.exitCode = 1;
}
clearTimeout(late);
// Else `end` is at it, and exits.
if (!isEnding) await clean();
