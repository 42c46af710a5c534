// `npm test`: its own RabbitMQ and MongoDB, every tier (or those named), nothing left running; the last line is the count.
//   node test/run.ts [unit|contract|path|faults …] [-- [--long] [--seed N] vitest arguments]
// `--long` plays the long form of the fault tests; `--seed` repeats a draw of its mixed ones. What they saw stands in one table at
// the end, also where some of it failed.
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { spawn } from "node:child_process";
import type { Backing } from "#deploy/local/backing.ts";
import { exitCodeOf, startBacking } from "#deploy/local/backing.ts";
import { compileServices } from "#deploy/local/compile-services.ts";
import { endProcessesOf, processesOf, RUN_MARK } from "#deploy/local/processes.ts";
import { tableOfSeen } from "./faults/chronicle.ts";
import type { TestBacking } from "./support/backing.ts";
import { managementUrlOf } from "./support/management.ts";
import { COMPILED } from "./support/service-process.ts";

const ROOT = resolve(import.meta.dirname, "..");
const TIERS = ["unit", "contract", "path", "faults"] as const;
type Tier = (typeof TIERS)[number];

interface Counts {
  passed: number;
  failed: number;
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { status: string; assertionResults: unknown[] }[];
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** A file that fails before its first test counts as one failed test. */
function countsOf(file: string): Counts | undefined {
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as VitestReport;
    const broken = report.testResults.filter((item) => item.status === "failed" && item.assertionResults.length === 0);
    return { passed: report.numPassedTests, failed: report.numFailedTests + broken.length };
  } catch {
    return undefined;
  }
}

/** Directories of test runs that were killed: their processes are ended, their data removed. */
async function clearAbandoned(home: string): Promise<void> {
  for (const name of readdirSync(home).filter((entry) => entry.startsWith("test-"))) {
    const owner = Number(name.slice("test-".length));
    if (owner === process.pid || isTestRun(owner)) continue;
    await endProcessesOf(join(home, name), 0);
    rmSync(join(home, name), { recursive: true, force: true });
  }
}

function isTestRun(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || /run\.ts|vitest/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
  } catch {
    return false;
  }
}

function runVitest(
  tiers: readonly Tier[],
  more: readonly string[],
  run: { directory: string; env: object },
): Promise<Counts> {
  const report = join(run.directory, "report.json");
  const args = [
    join(ROOT, "node_modules/vitest/vitest.mjs"),
    "run",
    ...tiers.map((tier) => `--project=${tier}`),
    "--passWithNoTests",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...more,
  ];
  const env = { ...process.env, ...run.env, [RUN_MARK]: run.directory };
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: "inherit" });
  return new Promise((done) => {
    child.once("exit", (code) => {
      const counts = countsOf(report) ?? { passed: 0, failed: 1 };
      // A failure outside the tests (an unhandled rejection, a broken set-up) fails the run too.
      done(code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts);
    });
  });
}

async function bringUp(directory: string): Promise<{ backing: Backing; shared: TestBacking }> {
  await compileServices(COMPILED);
  const backing = await startBacking({ directory, keepData: false, report: say });
  say(`${backing.parts.join(" and ")}: up`);
  const { amqpUrl, mongodbUri } = backing;
  const managementUrl = backing.managementUrl ?? managementUrlOf(amqpUrl);
  return { backing, shared: { amqpUrl, mongodbUri, managementUrl, directory } };
}

async function runTiers(tiers: readonly Tier[], more: readonly string[], directory: string): Promise<Counts> {
  const counts = { passed: 0, failed: 0 };
  const add = (other: Counts): void => {
    counts.passed += other.passed;
    counts.failed += other.failed;
  };
  if (tiers.includes("unit")) add(await runVitest(["unit"], more, { directory, env: {} }));
  const real = tiers.filter((tier) => tier !== "unit");
  if (real.length === 0) return counts;
  const { backing, shared } = await bringUp(directory);
  try {
    add(await runVitest(real, more, { directory, env: { WAYPOST_TEST_BACKING: JSON.stringify(shared) } }));
  } finally {
    await backing.stop();
  }
  return counts;
}

/** The table of the faults that were played. */
function sayWhatWasSeen(directory: string): void {
  const seen = tableOfSeen(directory);
  if (seen !== "") say(`\n${seen}\n`);
}

function endOnSignals(clear: () => Promise<void>): void {
  let isEnding = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (isEnding) return;
      isEnding = true;
      void clear().then(() => process.exit(130));
    });
  }
}

/** Takes out what is our own, and leaves it where the fault tests find it. */
function argumentsForVitest(named: readonly string[]): string[] {
  const at = named.indexOf("--seed");
  const seed = at < 0 ? [] : named.slice(at, at + 2);
  if (seed[1] !== undefined) process.env["WAYPOST_FAULTS_SEED"] = seed[1];
  if (named.includes("--long")) process.env["WAYPOST_FAULTS"] = "long";
  const own = ["--", "--long", ...TIERS, ...seed];
  return named.filter((word) => !own.includes(word));
}

async function main(): Promise<void> {
  const named = process.argv.slice(2);
  const tiers = TIERS.filter((tier) => named.includes(tier));
  const more = argumentsForVitest(named);
  const home = join(ROOT, ".waypost");
  const directory = join(home, `test-${process.pid}`);
  mkdirSync(directory, { recursive: true });
  await clearAbandoned(home);
  const clear = async (): Promise<void> => {
    await endProcessesOf(directory, 0);
    rmSync(directory, { recursive: true, force: true });
  };
  endOnSignals(() => {
    sayWhatWasSeen(directory);
    return clear();
  });
  try {
    const counts = await runTiers(tiers.length === 0 ? TIERS : tiers, more, directory);
    sayWhatWasSeen(directory);
    const left = processesOf(directory).length;
    if (left > 0) say(`${left} processes were still running at the end`);
    process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
    await clear();
    say(`${counts.passed} passed, ${counts.failed} failed`);
  } catch (error) {
    await clear();
    say(error instanceof Error ? error.message : String(error));
    say("0 passed, 1 failed");
    process.exitCode = exitCodeOf(error);
  }
}

await main();
