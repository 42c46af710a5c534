// The six services as processes of their own, on the default ports or the next free ones.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "#shared/broker/topology.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import { SETTINGS } from "#shared/settings-table.ts";
import { healthPortOf } from "#shared/settings.ts";
import { LOCAL_DIRECTORY, ROOT } from "./instance.ts";
import { nextFreePort } from "./ports.ts";
import type { Child } from "./processes.ts";
import { startChild } from "./processes.ts";
import { serviceEnvironment } from "./service-environment.ts";

export interface LocalPorts {
  http: number;
  smtp: number;
  control: number;
  health: Readonly<Record<ServiceName, number>>;
}

const READY_MS = 60_000;

/** Ports that the environment sets are taken as they are; of the defaults, the next free ones. */
export async function choosePorts(): Promise<LocalPorts> {
  const taken = new Set<number>();
  const choose = async (variable: string, normal: number): Promise<number> => {
    const set = Number(process.env[variable] ?? 0);
    const port = set > 0 ? set : await nextFreePort(normal, taken);
    taken.add(port);
    return port;
  };
  const http = await choose("WAYPOST_HTTP_PORT", Number(SETTINGS.WAYPOST_HTTP_PORT.default));
  const smtp = await choose("WAYPOST_SMTP_PORT", Number(SETTINGS.WAYPOST_SMTP_PORT.default));
  const control = await choose("WAYPOST_CONTROL_PORT", Number(SETTINGS.WAYPOST_CONTROL_PORT.default));
  const health: Partial<Record<ServiceName, number>> = {};
  for (const service of SERVICES) health[service] = await choose("", healthPortOf(service, undefined));
  return { http, smtp, control, health: health as Record<ServiceName, number> };
}

export const logFileOf = (service: ServiceName): string => join(LOCAL_DIRECTORY, "log", `${service}.log`);

export interface LocalServices {
  children: readonly Child[];
  stop(): Promise<void>;
}

const STOP_MS = 8_000;

export function startServices(env: NodeJS.ProcessEnv, ports: LocalPorts, watch: boolean): LocalServices {
  const children = SERVICES.map((service) =>
    startChild({
      name: service,
      command: process.execPath,
      args: [...(watch ? ["--watch"] : []), join(ROOT, "services", service, "main.ts")],
      env: {
        ...serviceEnvironment(LOCAL_DIRECTORY),
        ...env,
        WAYPOST_HTTP_PORT: String(ports.http),
        WAYPOST_SMTP_PORT: String(ports.smtp),
        WAYPOST_CONTROL_PORT: String(ports.control),
        WAYPOST_HEALTH_PORT: String(ports.health[service]),
      },
      directory: LOCAL_DIRECTORY,
      cwd: ROOT,
      logFile: logFileOf(service),
    }),
  );
  return {
    children,
    stop: async () => {
      await Promise.all(children.map((child) => child.stop(STOP_MS)));
    },
  };
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return answer.ok;
  } catch {
    return false;
  }
}

/** Resolves when every service says that it is ready. Throws when one ends or is not ready in time. */
export async function untilReady(services: LocalServices, ports: LocalPorts): Promise<void> {
  const end = Date.now() + READY_MS;
  for (const service of SERVICES) {
    const child = services.children.find(({ name }) => name === service);
    while (!(await isReady(ports.health[service]))) {
      if (child?.isRunning !== true) throw new Error(`${service} ended: see ${logFileOf(service)}`);
      if (Date.now() > end) throw new Error(`${service} is not ready: see ${logFileOf(service)}`);
      await sleep(50);
    }
  }
}
