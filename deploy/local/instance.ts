// What a clone keeps in .waypost/: credentials, data, logs, and who is running.
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { RunningSystem } from "#shared/running-system.ts";
import { readStart, RUNNING_FILE } from "#shared/running-system.ts";

export const ROOT = resolve(import.meta.dirname, "../..");
/** The tests of `npm start` have one of their own. */
const HOME = process.env["WAYPOST_TEST_HOME"] ?? join(ROOT, ".waypost");

/** Data, logs and processes of `npm start`; the tests have directories of their own beside it. */
export const LOCAL_DIRECTORY = join(HOME, "local");
const CREDENTIALS = join(HOME, "credentials.json");
const RUNNING = join(HOME, RUNNING_FILE);

export interface Credentials {
  adminToken: string;
  secretKey: string;
  demoPassword: string;
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}

function writePrivate(file: string, content: object, flag: "w" | "wx" = "w"): void {
  mkdirSync(HOME, { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, flag });
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

/**
 * The process id of another `npm start` of this clone, also one that has just begun; where there is none, the next finds this
 * one. What a killed one left may name our own id: in a container each start has the same.
 */
export function otherStart(): number | undefined {
  if (claim()) return undefined;
  const other = startTold(RUNNING);
  if (other !== undefined) return other;
  // What is moved away may be the file of one that was quicker to see the same.
  const stale = `${RUNNING}.${process.pid}`;
  try {
    renameSync(RUNNING, stale);
    const quicker = startTold(stale);
    if (quicker !== undefined) renameSync(stale, RUNNING);
    else rmSync(stale, { force: true });
    if (quicker !== undefined) return quicker;
  } catch {
    // Another has moved it.
  }
  // Where nothing can be written there is no other either: whoever writes next says so.
  return claim() ? undefined : startTold(RUNNING);
}

function startTold(file: string): number | undefined {
  const pid = readStart(file);
  return pid === process.pid ? undefined : pid;
}

function claim(): boolean {
  try {
    writePrivate(RUNNING, { pid: process.pid }, "wx");
    return true;
  } catch {
    return false;
  }
}

export function tellRunning(running: RunningSystem): void {
  writePrivate(RUNNING, running);
}

export function forgetRunning(): void {
  rmSync(RUNNING, { force: true });
}
