// `npm run bench`: Waypost, Postfix and ZoneMTA in interleaved rounds, then what Waypost does under other loads. Prints the
// tables of docs/performance.md. Ends within --minutes, whatever is left to do then; Ctrl-C ends everything it started.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endProcessesOf } from "#deploy/local/processes.ts";
import { ceiling, compare } from "./compare.ts";
import type { Row } from "./ground.ts";
import { GROWTH } from "./growth.ts";
import { endPostfixBelow } from "./peers/postfix.ts";
import { startWaypost } from "./peers/waypost.ts";
import { machineLine, resultTable, scenarioTable } from "./report.ts";
import type { Samples } from "./report.ts";
import { SCENARIOS } from "./scenarios.ts";
import { Sink } from "./sink.ts";
import { startTold } from "./told.ts";

const ALL = { ...SCENARIOS, ...GROWTH };

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
const namesOf = (list: string): string[] => list.split(",").filter((name) => name !== "");
const say = (text: string): void => console.log(text);
const startedMs = performance.now();
const passedMs = (): number => performance.now() - startedMs;
const budgetMs = Number(values.minutes) * 60_000;
/** Rounds have this share of the time, the scenarios the rest; the last minute is for stopping. */
const ROUNDS_SHARE = 0.55;
const STOP_MS = 45_000;

const directory = mkdtempSync(join(tmpdir(), "waypost-bench-"));
execFileSync("chmod", ["755", directory]);

async function clean(): Promise<void> {
  endPostfixBelow(directory);
  await endProcessesOf(directory, 3_000);
  rmSync(directory, { recursive: true, force: true });
}

const samples: Samples = new Map();
const rows: Row[] = [];

function report(): void {
  say(`\n${load.mails} mails of ${load.bytes} bytes, ${load.sessions} sessions in, at most ${load.sessions} out\n`);
  say(resultTable(samples));
  say(`\n${scenarioTable(rows)}`);
}

async function scenarios(sink: Sink, sinkPort: number): Promise<void> {
  const place = join(directory, "scenarios");
  mkdirSync(place, { recursive: true });
  const told = await startTold();
  const env = { WAYPOST_RETRY_SCHEDULE: "2s", WAYPOST_NOTIFY_LINGER: "1s" };
  const waypost = await startWaypost({ directory: place, sinkPort, connections: load.sessions, env });
  try {
    for (const name of namesOf(values.scenarios)) {
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
    isOver: () => passedMs() > budgetMs * ROUNDS_SHARE,
  };
  say(machineLine());
  say(await ceiling(comparison));
  await compare(comparison, samples);
  if (namesOf(values.scenarios).length > 0) await scenarios(sink, sinkPort);
  await sink.stop();
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void clean().finally(() => process.exit(1)));
}
const late = setTimeout(() => {
  say("the time is over");
  report();
  void clean().finally(() => process.exit(1));
}, budgetMs);
try {
  await main();
  report();
} finally {
  clearTimeout(late);
  await clean();
}
