// The six services as processes of their own, on the default ports or the next free ones.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "#shared/broker/topology.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import { EXIT_CONFIG } from "#shared/exit-codes.ts";
import { hostInUrl } from "#shared/network/host-in-url.ts";
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
  /** Where they are, as a URL has it: WAYPOST_BIND, and loopback where that means every address. */
  host: string;
  http: number;
  smtp: number;
  control: number;
  health: Readonly<Record<ServiceName, number>>;
}

const READY_MS = 60_000;

type PortName = "http" | "smtp" | "smtps" | "control" | "health";

export interface SetPorts {
  /** An address that reaches what listens. */
  address: string;
  ports: Readonly<Record<PortName, number | undefined>>;
}

const LOOPBACK = "127.0.0.1";
const reachedBy = (bind: string): string => (["", "0.0.0.0", "::"].includes(bind) ? LOOPBACK : bind);

/** Ports that the environment sets. Throws SettingsWrong with all that is wrong in it: a service would tell its own alone. */
export function portsSet(): SetPorts {
  const set = effectiveSettings().filter(({ origin }) => origin === "environment");
  const problems = set.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0) throw new SettingsWrong(problems.join("\n"));
  const portOf = (variable: SettingName): number | undefined => {
    const setting = set.find(({ name }) => name === variable);
    return setting === undefined ? undefined : Number(setting.value);
  };
  const ports = {
    http: portOf("WAYPOST_HTTP_PORT"),
    smtp: portOf("WAYPOST_SMTP_PORT"),
    smtps: portOf("WAYPOST_SMTPS_PORT"),
    control: portOf("WAYPOST_CONTROL_PORT"),
    health: portOf("WAYPOST_HEALTH_PORT"),
  };
  return { address: reachedBy(set.find(({ name }) => name === "WAYPOST_BIND")?.value ?? ""), ports };
}

/** What is set is taken as it is; of the defaults, the next that are free now. A health port that is set is the first service's. */
export async function choosePorts({ address, ports: set }: SetPorts = portsSet()): Promise<LocalPorts> {
  const taken = new Set(Object.values(set).filter((port) => port !== undefined));
  const free = async (normal: number | string): Promise<number> => {
    const port = await nextFreePort(Number(normal), taken, address);
    taken.add(port);
    return port;
  };
  const http = set.http ?? (await free(SETTINGS.WAYPOST_HTTP_PORT.default));
  const smtp = set.smtp ?? (await free(SETTINGS.WAYPOST_SMTP_PORT.default));
  const control = set.control ?? (await free(SETTINGS.WAYPOST_CONTROL_PORT.default));
  const health: Partial<Record<ServiceName, number>> = {};
  for (const [index, service] of SERVICES.entries()) {
    const normal = set.health === undefined ? healthPortOf(service, undefined) : set.health + index;
    health[service] = normal === set.health ? normal : await free(normal);
  }
  return { host: hostInUrl(address), http, smtp, control, health: health as Record<ServiceName, number> };
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

async function isReady(host: string, port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://${host}:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
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
    while (!(await isReady(ports.host, ports.health[service]))) {
      if (child?.isRunning === false) throw await endOf(child);
      if (Date.now() > end) throw new Error(`${service} is not ready: see ${logFileOf(service)}`);
      await sleep(50);
    }
    // Somebody else's may answer on a port that was taken meanwhile.
    if (child?.isRunning === false) throw await endOf(child);
  }
}
