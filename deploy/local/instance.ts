// What a clone keeps in .waypost/: credentials, data, logs, and who is running.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../..");
/** The tests of `npm start` have one of their own. */
const HOME = process.env["WAYPOST_TEST_HOME"] ?? join(ROOT, ".waypost");

/** Data, logs and processes of `npm start`; the tests have directories of their own beside it. */
export const LOCAL_DIRECTORY = join(HOME, "local");
const CREDENTIALS = join(HOME, "credentials.json");
const RUNNING = join(HOME, "running.json");

export interface Credentials {
  adminToken: string;
  secretKey: string;
  demoPassword: string;
}

/** How `npx waypost` finds the running system. */
export interface RunningFile {
  pid: number;
  controlUrl: string;
  adminToken: string;
  ingestUrl: string;
  account: string;
  password: string;
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}

function writePrivate(file: string, content: object): void {
  mkdirSync(HOME, { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
}

/** Made once; kept, so that what was encrypted can be read after a restart. */
export function keptCredentials(): Credentials {
  const fresh: Credentials = {
    adminToken: randomBytes(24).toString("base64url"),
    secretKey: randomBytes(32).toString("base64"),
    demoPassword: randomBytes(12).toString("base64url"),
  };
  const kept = { ...fresh, ...readJson<Partial<Credentials>>(CREDENTIALS) };
  writePrivate(CREDENTIALS, kept);
  return kept;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function commandOf(pid: number): string {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) ? readFileSync(file, "utf8") : "start.ts";
}

/** The process id of an `npm start` of this clone that runs now. A file left by a killed one says nothing. */
export function alreadyRunning(): number | undefined {
  const pid = readJson<RunningFile>(RUNNING)?.pid;
  if (pid === undefined || pid === process.pid || !isAlive(pid)) return undefined;
  return commandOf(pid).includes("start.ts") ? pid : undefined;
}

export function tellRunning(running: RunningFile): void {
  writePrivate(RUNNING, running);
}

export function forgetRunning(): void {
  rmSync(RUNNING, { force: true });
}
