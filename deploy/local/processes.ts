// Child processes of a run: each in a process group of its own, marked with the run's directory in its environment,
// so that what a killed run left behind is found and ended (also grandchildren), and nothing else is.
import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const RUN_MARK = "LOCAL_RUN_DIRECTORY";

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** Has its stdout and stderr. */
  readonly logFile: string;
  readonly isRunning: boolean;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL to its whole group when it has not ended after `graceMs`. */
  stop(graceMs: number): Promise<Exit>;
}

export interface ChildDefinition {
  name: string;
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** The run's directory: the mark. */
  directory: string;
  /** Gets stdout and stderr. */
  logFile: string;
  cwd?: string;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone: nothing is left to signal.
  }
}

export function startChild(definition: ChildDefinition): Child {
  mkdirSync(dirname(definition.logFile), { recursive: true });
  const log = openSync(definition.logFile, "a");
  const child = spawn(definition.command, definition.args, {
    env: { ...definition.env, [RUN_MARK]: definition.directory },
    stdio: ["ignore", log, log],
    detached: true,
    ...(definition.cwd === undefined ? {} : { cwd: definition.cwd }),
  });
  closeSync(log);
  let isRunning = true;
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      isRunning = false;
      resolve({ code, signal });
    });
  });
  exited.catch(() => undefined);
  const pid = child.pid ?? -1;
  return {
    name: definition.name,
    pid,
    exited,
    logFile: definition.logFile,
    get isRunning() {
      return isRunning && pid > 0;
    },
    signal: (signal) => void (isRunning && child.kill(signal)),
    stop: async (graceMs) => {
      if (isRunning) child.kill("SIGTERM");
      const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), graceMs);
      const exit = await exited;
      clearTimeout(timer);
      signalGroup(pid, "SIGKILL");
      return exit;
    },
  };
}

function markOf(environment: string): string | undefined {
  return environment
    .split("\0")
    .find((entry) => entry.startsWith(`${RUN_MARK}=`))
    ?.slice(RUN_MARK.length + 1);
}

function markedOnLinux(): { pid: number; mark: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const mark = markOf(readFileSync(`/proc/${name}/environ`, "utf8"));
        return mark === undefined ? [] : [{ pid: Number(name), mark }];
      } catch {
        return [];
      }
    });
}

function markedElsewhere(): { pid: number; mark: string }[] {
  const list = execFileSync("ps", ["-axEww", "-o", "pid=,command="], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  return list.split("\n").flatMap((line) => {
    const mark = new RegExp(`${RUN_MARK}=(\\S+)`).exec(line)?.[1];
    return mark === undefined ? [] : [{ pid: Number.parseInt(line, 10), mark }];
  });
}

/** Processes that were started for this directory or one below it, by this run or one before. */
export function processesOf(directory: string): number[] {
  const marked = process.platform === "linux" ? markedOnLinux() : markedElsewhere();
  return marked
    .filter(({ pid, mark }) => pid !== process.pid && (mark === directory || mark.startsWith(`${directory}/`)))
    .map(({ pid }) => pid);
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended in the meantime.
    }
  }
}

/** Ends every process of the directory: SIGTERM, and SIGKILL after `graceMs`. Returns how many there were. */
export async function endProcessesOf(directory: string, graceMs: number): Promise<number> {
  const found = processesOf(directory);
  if (graceMs > 0) send(found, "SIGTERM");
  const end = Date.now() + graceMs;
  while (Date.now() < end && processesOf(directory).length > 0) await sleep(100);
  for (let left = processesOf(directory); left.length > 0; left = processesOf(directory)) {
    send(left, "SIGKILL");
    await sleep(50);
  }
  return found.length;
}
