// The six services as processes of their own, on the default ports or the next free ones.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "#shared/broker/topology.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import { EXIT_CONFIG } from "#shared/exit-codes.ts";
import type { SettingName } from "#shared/settings-table.ts";
import { SETTINGS } from "#shared/settings-table.ts";
import { effectiveSettings, healthPortOf } from "#shared/settings.ts";
import { SettingsWrong } from "./backing.ts";
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

export type SetPorts = Readonly<Record<"http" | "smtp" | "smtps" | "control", number | undefined>>;

/** Ports that the environment sets. Throws SettingsWrong with all that is wrong in it: a service would tell its own alone. */
export function portsSet(): SetPorts {
  const set = effectiveSettings().filter(({ origin }) => origin === "environment");
  const problems = set.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
  if (problems.length > 0) throw new SettingsWrong(problems.join("\n"));
  const portOf = (variable: SettingName): number | undefined => {
    const setting = set.find(({ name }) => name === variable);
    return setting === undefined ? undefined : Number(setting.value);
  };
  return {
    http: portOf("WAYPOST_HTTP_PORT"),
    smtp: portOf("WAYPOST_SMTP_PORT"),
    smtps: portOf("WAYPOST_SMTPS_PORT"),
    control: portOf("WAYPOST_CONTROL_PORT"),
  };
}

/** What is set is taken as it is; of the defaults, the next that are free now. */
export async function choosePorts(set: SetPorts = portsSet()): Promise<LocalPorts> {
  const taken = new Set(Object.values(set).filter((port) => port !== undefined));
  const free = async (normal: number | string): Promise<number> => {
    const port = await nextFreePort(Number(normal), taken);
    taken.add(port);
    return port;
  };
  const http = set.http ?? (await free(SETTINGS.WAYPOST_HTTP_PORT.default));
  const smtp = set.smtp ?? (await free(SETTINGS.WAYPOST_SMTP_PORT.default));
  const control = set.control ?? (await free(SETTINGS.WAYPOST_CONTROL_PORT.default));
  const health: Partial<Record<ServiceName, number>> = {};
  for (const service of SERVICES) health[service] = await free(healthPortOf(service, undefined));
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

/** What ended a service before it was ready: wrong settings in its own words, which stand in the log beside its JSON lines. */
async function endOf({ name, exited, logFile }: Child): Promise<Error> {
  const { code } = await exited;
  if (code !== EXIT_CONFIG) return new Error(`${name} ended: see ${logFile}`);
  const lines = readFileSync(logFile, "utf8").trim().split("\n");
  return new SettingsWrong(lines.filter((line) => !line.startsWith("{")).join("\n"));
}

/** Resolves when every service says that it is ready. Throws when one ends or is not ready in time. */
export async function untilReady(services: LocalServices, ports: LocalPorts): Promise<void> {
  const end = Date.now() + READY_MS;
  for (const service of SERVICES) {
    const child = services.children.find(({ name }) => name === service);
    while (!(await isReady(ports.health[service]))) {
      if (child?.isRunning === false) throw await endOf(child);
      if (Date.now() > end) throw new Error(`${service} is not ready: see ${logFileOf(service)}`);
      await sleep(50);
    }
  }
}
