// How every service starts, answers for its health, drains and exits (operator contract, Processes).
import type { ServiceName } from "#shared/broker/topology.ts";
import { EXIT_CONFIG } from "#shared/exit-codes.ts";
import type { Log } from "#shared/log.ts";
import { createLog } from "#shared/log.ts";
import { takenPorts } from "#shared/ports.ts";
import type { ServiceDefinition } from "#shared/service-definition.ts";
import { startRun } from "#shared/service-run.ts";
import type { CommonSettings, SettingsOf } from "#shared/settings.ts";
import { healthPortOf, readSettings } from "#shared/settings.ts";

const EXIT_FAILED = 1;

/** Runs a service until a signal ends it: what `main.ts` of every service calls. */
export async function runService<S extends ServiceName>(definition: ServiceDefinition<S>): Promise<void> {
  const read = readSettings(definition.name);
  const seen = await mistakesSeenOnMachine(definition, read.ok ? read.settings : read.readable);
  if (!read.ok) return exitWith([...read.problems, ...seen]);
  if (seen.length > 0) return exitWith(seen);
  const { settings, warnings } = read;
  const common: CommonSettings = settings;
  const healthPort = healthPortOf(definition.name, common.WAYPOST_HEALTH_PORT);

  const log = createLog(definition.name, common.LOG_LEVEL);
  exitOnBug(log);
  for (const warning of warnings) log.warn({ warning }, "settings.unknown");
  await startRun(definition, { settings, common, healthPort, log });
}

/** Files that cannot be read and ports that are taken, of those settings that say which. */
async function mistakesSeenOnMachine<S extends ServiceName>(
  definition: ServiceDefinition<S>,
  settings: Partial<SettingsOf<S> & CommonSettings>,
): Promise<string[]> {
  const { WAYPOST_BIND: host, WAYPOST_HEALTH_PORT: set }: Partial<CommonSettings> = settings;
  const health = "WAYPOST_HEALTH_PORT" in settings ? healthPortOf(definition.name, set) : undefined;
  const named = [...definition.ports(settings), { setting: "WAYPOST_HEALTH_PORT", port: health }];
  const ports = named.flatMap(({ setting, port }) => (port === undefined ? [] : [{ setting, port }]));
  const mistakes = (await definition.check?.(settings)) ?? [];
  return [...mistakes, ...(host === undefined ? [] : await takenPorts(host, ports))];
}

/** One line for each mistake on stderr, exit 78. */
function exitWith(problems: readonly string[]): void {
  process.stderr.write(problems.map((problem) => `${problem}\n`).join(""));
  process.exit(EXIT_CONFIG);
}

/** A bug outside of any message: the process can't be trusted any more, its messages go back to their queues. */
function exitOnBug(log: Log): void {
  const fail = (error: unknown): void => {
    log.fatal({ err: error }, "service.crashed");
    process.exit(EXIT_FAILED);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
}
