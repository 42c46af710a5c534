// One run of a service: opens telemetry, store, broker and health, starts it, and on a signal drains and closes in order.
import type { Server } from "node:http";
import type { Broker } from "#shared/broker/actor.ts";
import { connectBroker } from "#shared/broker/broker.ts";
import type { ServiceName } from "#shared/broker/topology.ts";
import { createSteadyClock, systemClock } from "#shared/clock.ts";
import { serveHealth } from "#shared/health.ts";
import { restWithoutStore } from "#shared/rest-without-store.ts";
import type { Log } from "#shared/log.ts";
import type { RunningService, ServiceDefinition } from "#shared/service-definition.ts";
import type { CommonSettings, SettingsOf } from "#shared/settings.ts";
import { openTelemetryVariables } from "#shared/settings.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import type { Telemetry } from "#shared/telemetry/start.ts";
import { startTelemetry } from "#shared/telemetry/start.ts";
import { EXIT_CONFIG } from "#shared/exit-codes.ts";

const EXIT_CLEAN = 0;
const EXIT_FAILED = 1;
/** After the drain: connections are closed and the last spans sent. */
const CLOSE_MS = 2_000;

export interface RunOptions<S extends ServiceName> {
  settings: SettingsOf<S>;
  common: CommonSettings;
  healthPort: number;
  log: Log;
}

interface Parts {
  log: Log;
  drainMs: number;
  telemetry: Telemetry;
  broker: Broker;
  store: Store;
  health: Server;
  /** What the service itself says; undefined until it has started. */
  running: RunningService | undefined;
  isStopping: boolean;
}

export async function startRun<S extends ServiceName>(
  definition: ServiceDefinition<S>,
  options: RunOptions<S>,
): Promise<void> {
  const { settings, log } = options;
  const parts = await open(definition.name, options);
  stopOnSignals(parts);
  try {
    const { broker, store } = parts;
    parts.running = await definition.start({ name: definition.name, settings, log, clock: systemClock, broker, store });
  } catch (error) {
    failToStart(error, log);
  }
  log.info({ uptimeMs: Math.round(process.uptime() * 1_000) }, "service.started");
}

/** Broker and database are not waited for: a service may be started before they are. */
async function open(name: ServiceName, options: Omit<RunOptions<ServiceName>, "settings">): Promise<Parts> {
  const { common, healthPort, log } = options;
  const clock = systemClock;
  const telemetry = await startTelemetry({ service: name, variables: openTelemetryVariables(), log, clock });
  const store = connectStore(common.MONGODB_URI, log);
  const broker = connectBroker({ urls: common.AMQP_URL, service: name, log, clock });
  const health = await serveHealth({
    host: common.WAYPOST_BIND,
    port: healthPort,
    notReady: () => reasonsOf(parts),
    metricsText: () => telemetry.metricsText(),
  });
  const drainMs = common.WAYPOST_DRAIN_SECONDS * 1_000;
  const parts: Parts = { log, drainMs, telemetry, broker, store, health, running: undefined, isStopping: false };
  void restWithoutStore({ store, broker, clock: createSteadyClock(clock), isOver: () => parts.isStopping });
  return parts;
}

const because = ({ failure }: Broker | Store): string => (failure === undefined ? "" : ` (${failure})`);

function reasonsOf(parts: Parts): string[] {
  const reasons: (string | undefined)[] = [
    parts.isStopping ? "stopping" : undefined,
    parts.broker.ready ? undefined : (parts.broker.blocked ?? `broker: not connected${because(parts.broker)}`),
    parts.store.isReady ? undefined : `database: no primary${because(parts.store)}`,
    parts.running === undefined ? "starting" : parts.running.notReady?.(),
  ];
  return reasons.filter((reason) => reason !== undefined);
}

function failToStart(error: unknown, log: Log): never {
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
    process.stderr.write(`a port was taken while the service started: ${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
  log.fatal({ err: error }, "service.start_failed");
  process.exit(EXIT_FAILED);
}

/** The first signal drains, a second one ends at once; what is in hand then goes back to its queue. */
function stopOnSignals(parts: Parts): void {
  const onSignal = (signal: NodeJS.Signals): void => {
    if (parts.isStopping) process.exit(EXIT_CLEAN);
    parts.isStopping = true;
    parts.log.info({ signal }, "service.stopping");
    setTimeout(() => process.exit(EXIT_CLEAN), parts.drainMs + 2 * CLOSE_MS).unref();
    void stop(parts).then(
      () => process.exit(EXIT_CLEAN),
      (error: unknown) => {
        parts.log.error({ err: error }, "service.stop_failed");
        process.exit(EXIT_CLEAN);
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

async function stop(parts: Parts): Promise<void> {
  const { log, broker, store, telemetry, health, drainMs } = parts;
  const until = systemClock.nowMs() + drainMs;
  const over = new AbortController();
  const late = systemClock.sleep(drainMs, over.signal).catch(() => undefined);
  await Promise.race([Promise.all([broker.stopTaking(), parts.running?.stop()]), late]);
  await broker.close(Math.max(0, until - systemClock.nowMs()));
  over.abort();
  await Promise.allSettled([store.close(), telemetry.shutdown(CLOSE_MS)]);
  health.close();
  log.info("service.stopped");
}
