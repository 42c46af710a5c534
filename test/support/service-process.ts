// One service as a real process of its own: started as every deployment does, watched until it is ready.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child, Exit } from "#deploy/local/processes.ts";
import { startChild } from "#deploy/local/processes.ts";
import { serviceEnvironment } from "#deploy/local/service-environment.ts";
import type { ServiceName } from "#shared/broker/topology.ts";

export const ROOT = resolve(import.meta.dirname, "../..");
/** Where the sources of the services that tests start are kept as they were compiled. */
export const COMPILED = join(ROOT, ".waypost");

export interface ServiceDefinition {
  service: ServiceName;
  replica: number;
  env: Readonly<Record<string, string>>;
  healthPort: number;
  logFile: string;
}

export interface ServiceProcess {
  readonly definition: ServiceDefinition;
  readonly pid: number;
  readonly isRunning: boolean;
  readonly exited: Promise<Exit>;
  signal(signal: NodeJS.Signals): void;
  stop(graceMs?: number): Promise<Exit>;
  log(): string;
}

const READY_MS = 30_000;

/** What of the tests' own environment a service may see. */
export function inherited(): Record<string, string> {
  const names = ["PATH", "HOME", "LANG", "TMPDIR", "NODE_EXTRA_CA_CERTS", "NODE_V8_COVERAGE"];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

export function logOf(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

export function spawnService(definition: ServiceDefinition, directory: string): ServiceProcess {
  const child: Child = startChild({
    name: definition.service,
    command: process.execPath,
    args: [join(ROOT, "services", definition.service, "main.ts")],
    env: { ...serviceEnvironment(COMPILED), ...definition.env },
    directory,
    cwd: ROOT,
    logFile: definition.logFile,
  });
  return {
    definition,
    pid: child.pid,
    get isRunning() {
      return child.isRunning;
    },
    exited: child.exited,
    signal: (signal) => child.signal(signal),
    stop: (graceMs = 10_000) => child.stop(graceMs),
    log: () => logOf(definition.logFile),
  };
}

async function answers(port: number, path: string): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** Resolves when `/readyz` says 200; throws with the end of its log when it exits or takes too long. */
export async function untilReady(service: ServiceProcess, deadlineMs = READY_MS): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await answers(service.definition.healthPort, "/readyz"))) {
    if (!service.isRunning || Date.now() > end) {
      const state = service.isRunning ? "is not ready" : "exited";
      const tail = service.log().trim().split("\n").slice(-8).join("\n");
      throw new Error(`${service.definition.service} ${state}:\n${tail}`);
    }
    await sleep(20);
  }
}
