// A whole Waypost for a test: own virtual host and database, every service a real process on free ports.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { freePort } from "#deploy/local/ports.ts";
import { endProcessesOf } from "#deploy/local/processes.ts";
import type { ServiceName } from "#shared/broker/topology.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import { createLog } from "#shared/log.ts";
import { connectStore } from "#shared/store/connection.ts";
import { uniqueLabel } from "./addresses.ts";
import type { TestBacking } from "./backing.ts";
import { ownPlace, testBacking } from "./backing.ts";
import type { ScriptedDns } from "./dns.ts";
import { startDns } from "./dns.ts";
import type { ServiceDefinition, ServiceProcess } from "./service-process.ts";
import { inherited, logOf, spawnService, untilReady } from "./service-process.ts";
import type { SystemClient, SystemPlan } from "./system-client.ts";
import { createSystemClient } from "./system-client.ts";

export interface SystemOptions {
  /** All six by default. */
  services?: readonly ServiceName[];
  /** One of each by default. */
  replicas?: Partial<Record<ServiceName, number>>;
  /** Added to the environment of every service. */
  env?: Readonly<Record<string, string>>;
  /** Added to the environment of one. */
  serviceEnv?: Partial<Record<ServiceName, Readonly<Record<string, string>>>>;
  /** Another broker and database than the run's (fault tests). */
  backing?: TestBacking;
  /** Another DNS server than one of its own. */
  dns?: ScriptedDns;
  /** Started at once, without waiting until they are ready. */
  withoutWaiting?: boolean;
}

export interface System extends SystemClient {
  readonly dns: ScriptedDns;
  process(service: ServiceName, replica?: number): ServiceProcess;
  /** kill -9 by default; resolves when it has ended. Every replica unless one is named. */
  kill(service: ServiceName, options?: { signal?: NodeJS.Signals; replica?: number }): Promise<void>;
  /** Starts what does not run of a service, with the same settings, and waits until it is ready. */
  restart(service: ServiceName): Promise<void>;
  /** Starts one more process of a service, on ports of its own. Returns the replica's number. */
  addReplica(service: ServiceName): Promise<number>;
  stop(): Promise<void>;
}

const SHORT_TIMES: Readonly<Record<string, string>> = {
  WAYPOST_RETRY_SCHEDULE: "1s,2s",
  WAYPOST_NOTIFY_SCHEDULE: "1s,2s",
  WAYPOST_NOTIFY_LINGER: "100ms",
  WAYPOST_SMTP_TIMEOUTS: "connect=2s,greeting=2s,command=2s,data=3s,dot=3s,total=10s",
  WAYPOST_DRAIN_SECONDS: "5",
};

/** Broker and database may be away meanwhile, and come back only later. */
const RESTARTED_MS = 90_000;

async function planOf(backing: TestBacking, dns: ScriptedDns, options: SystemOptions): Promise<SystemPlan> {
  const adminToken = randomBytes(16).toString("hex");
  const mxPort = await freePort();
  return {
    id: uniqueLabel("system"),
    amqpUrl: backing.amqpUrl,
    managementUrl: backing.managementUrl,
    mongodbUri: backing.mongodbUri,
    directory: join(backing.directory, uniqueLabel("system")),
    adminToken,
    dnsServer: dns.server,
    mxPort,
    env: {
      ...inherited(),
      AMQP_URL: backing.amqpUrl,
      MONGODB_URI: backing.mongodbUri,
      WAYPOST_ADMIN_TOKEN: adminToken,
      WAYPOST_SECRET_KEY: randomBytes(32).toString("base64"),
      WAYPOST_ALLOW_NETWORKS: "127.0.0.0/8,::1/128",
      WAYPOST_DNS_SERVERS: dns.server,
      WAYPOST_MX_PORT: String(mxPort),
      WAYPOST_HOSTNAME: "waypost.test",
      LOG_LEVEL: "info",
      ...SHORT_TIMES,
      ...options.env,
    },
    replicas: [],
  };
}

async function definitionOf(
  plan: SystemPlan,
  service: ServiceName,
  options: SystemOptions,
): Promise<ServiceDefinition> {
  const replica = plan.replicas.filter((item) => item.service === service).length;
  const [healthPort, first, second] = [await freePort(), await freePort(), await freePort()];
  const ports: Record<string, string> =
    service === "ingest"
      ? { WAYPOST_HTTP_PORT: String(first), WAYPOST_SMTP_PORT: String(second) }
      : service === "control"
        ? { WAYPOST_CONTROL_PORT: String(first) }
        : {};
  const own = options.serviceEnv?.[service] ?? {};
  return {
    service,
    replica,
    env: { ...plan.env, WAYPOST_HEALTH_PORT: String(healthPort), ...ports, ...own },
    healthPort,
    logFile: join(plan.directory, `${service}-${replica}.log`),
  };
}

function wanted(options: SystemOptions): ServiceName[] {
  return (options.services ?? SERVICES).flatMap((service) =>
    Array.from({ length: options.replicas?.[service] ?? 1 }, () => service),
  );
}

class RunningSystem {
  readonly plan: SystemPlan;
  readonly options: SystemOptions;
  readonly #processes: ServiceProcess[] = [];

  constructor(plan: SystemPlan, options: SystemOptions) {
    this.plan = plan;
    this.options = options;
  }

  async spawn(service: ServiceName): Promise<ServiceProcess> {
    const definition = await definitionOf(this.plan, service, this.options);
    this.plan.replicas.push(definition);
    const started = spawnService(definition, this.plan.directory);
    this.#processes.push(started);
    return started;
  }

  find(service: ServiceName, replica?: number): ServiceProcess[] {
    return this.#processes.filter(
      ({ definition }) => definition.service === service && (replica === undefined || definition.replica === replica),
    );
  }

  one(service: ServiceName, replica = 0): ServiceProcess {
    const [found] = this.find(service, replica);
    if (found === undefined) throw new Error(`this system has no ${service} ${replica}`);
    return found;
  }

  async restart(service: ServiceName): Promise<void> {
    for (const ended of this.find(service).filter((item) => !item.isRunning)) {
      const started = spawnService(ended.definition, this.plan.directory);
      this.#processes.splice(this.#processes.indexOf(ended), 1, started);
    }
    await Promise.all(this.find(service).map((item) => untilReady(item, RESTARTED_MS)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((item) => item.stop()));
    await endProcessesOf(this.plan.directory, 0);
  }
}

async function dropDatabase(uri: string): Promise<void> {
  const store = connectStore(uri, createLog("test", "silent"));
  await store.db.dropDatabase().catch(() => undefined);
  await store.close();
}

/** Starts a system. Its services are ready when this resolves. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const place = await ownPlace(options.backing ?? testBacking());
  const dns = options.dns ?? (await startDns());
  const plan = await planOf(place, dns, options);
  const running = new RunningSystem(plan, options);
  const started: ServiceProcess[] = [];
  // One after the other: the number of a replica follows from those that are there.
  for (const service of wanted(options)) started.push(await running.spawn(service));
  const stop = async (): Promise<void> => {
    await running.stop();
    await place.remove();
    await dropDatabase(plan.mongodbUri);
    if (options.dns === undefined) await dns.close();
  };
  try {
    if (options.withoutWaiting !== true) await Promise.all(started.map((item) => untilReady(item)));
  } catch (error) {
    await stop();
    throw error;
  }
  const client = createSystemClient(plan, (file) => logOf(file));
  return Object.assign(client, {
    dns,
    process: (service: ServiceName, replica?: number) => running.one(service, replica),
    kill: async (service: ServiceName, how: { signal?: NodeJS.Signals; replica?: number } = {}) => {
      const found = running.find(service, how.replica).filter((item) => item.isRunning);
      for (const item of found) item.signal(how.signal ?? "SIGKILL");
      await Promise.all(found.map((item) => item.exited));
    },
    restart: (service: ServiceName) => running.restart(service),
    addReplica: async (service: ServiceName) => {
      const added = await running.spawn(service);
      await untilReady(added);
      return added.definition.replica;
    },
    stop,
  });
}
