// A private RabbitMQ: own directory, own node name, own ports, own epmd, loopback only.
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./ports.ts";
import type { Child } from "./processes.ts";
import { endProcessesOf, startChild } from "./processes.ts";
import { findEpmd } from "./programs.ts";

export interface PrivateBroker {
  /** What the other nodes of a cluster call it. */
  readonly nodeName: string;
  readonly amqpUrl: string;
  /** The management API, with the credentials in it. */
  readonly managementUrl: string;
  /** Starts it again on the same ports, after `kill` or `stop`. Resolves when it answers. */
  start: () => Promise<void>;
  /** kill -9 of all its processes. */
  kill: () => Promise<void>;
  stop: () => Promise<void>;
  /** Runs its `rabbitmqctl`. */
  control: (...args: readonly string[]) => Promise<void>;
}

export interface BrokerOptions {
  program: string;
  /** Its own directory, which must be of this run alone. */
  directory: string;
  /** Lines added to its rabbitmq.conf. */
  configuration?: readonly string[];
  /** Where an epmd listens that several nodes share; without it, one of its own is started. */
  epmdPort?: number;
}

const START_MS = 90_000;
const STOP_MS = 10_000;
const AMQP_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);

/** Whether an AMQP listener answers: RabbitMQ opens it last, when all else is up. */
export function answersAmqp(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 2_000 });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => socket.write(AMQP_HEADER));
    socket.once("data", (bytes) => end(bytes[0] === 1));
    for (const event of ["error", "timeout", "close"]) socket.once(event, () => end(false));
  });
}

function keptPassword(directory: string): string {
  const file = join(directory, "password");
  if (!existsSync(file)) writeFileSync(file, randomBytes(18).toString("hex"), { mode: 0o600 });
  return readFileSync(file, "utf8");
}

interface Ports {
  amqp: number;
  management: number;
  distribution: number;
  epmd: number;
}

function configurationOf(ports: Ports, password: string, extra: readonly string[]): string {
  return [
    `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
    "management.tcp.ip = 127.0.0.1",
    `management.tcp.port = ${ports.management}`,
    "default_user = waypost",
    `default_pass = ${password}`,
    "disk_free_limit.absolute = 100MB",
    ...extra,
    "",
  ].join("\n");
}

/**
 * It shares the machine with the services and the database: half of the processors. Schedulers that find little to do
 * wake each other for nothing, a third of the broker's time on two processors.
 */
const SCHEDULERS = Math.max(1, Math.floor(availableParallelism() / 2));

/** The port for other nodes and for rabbitmqctl; Erlang would listen on every address. */
const DISTRIBUTION_ON_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}";

/**
 * What expired while its target was still without a leader, as after a crash, is published again after 3 minutes by
 * default, and a mail's next attempt waits for that.
 */
export const DEAD_LETTERS_AGAIN = "-rabbit dead_letter_worker_publisher_confirm_timeout 10000";

/** The name of the node that keeps its data there. */
export function nodeNameOf(directory: string): string {
  return `waypost-${createHash("sha256").update(directory).digest("hex").slice(0, 10)}@localhost`;
}

function environmentOf(directory: string, ports: Ports): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([key]) => !/^(RABBITMQ_|ERL_|WAYPOST_|OTEL_)/.test(key));
  return {
    ...Object.fromEntries(others),
    HOME: directory,
    RABBITMQ_NODENAME: nodeNameOf(directory),
    RABBITMQ_MNESIA_BASE: join(directory, "data"),
    RABBITMQ_LOG_BASE: join(directory, "log"),
    RABBITMQ_CONFIG_FILE: join(directory, "rabbitmq"),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, "advanced"),
    RABBITMQ_CONF_ENV_FILE: join(directory, "rabbitmq-env.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "enabled_plugins"),
    RABBITMQ_PID_FILE: join(directory, "pid"),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `+S ${SCHEDULERS}:${SCHEDULERS} ${DISTRIBUTION_ON_LOOPBACK} ${DEAD_LETTERS_AGAIN}`,
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_EPMD_PORT: String(ports.epmd),
  };
}

/** Ends when the broker answers, or throws with the last lines of its log. */
async function waitUntilUp(child: Child, port: number, logFile: string): Promise<void> {
  const end = Date.now() + START_MS;
  while (!(await answersAmqp(port))) {
    if (!child.isRunning || Date.now() > end) {
      const tail = readFileSync(logFile, "utf8").trim().split("\n").slice(-5).join("\n");
      throw new Error(`RabbitMQ did not start (see ${logFile}):\n${tail}`);
    }
    await sleep(100);
  }
}

function prepare(options: BrokerOptions, ports: Ports, password: string): void {
  const file = (name: string): string => join(options.directory, name);
  mkdirSync(file("data"), { recursive: true });
  mkdirSync(file("log"), { recursive: true });
  writeFileSync(file("rabbitmq.conf"), configurationOf(ports, password, options.configuration ?? []), { mode: 0o600 });
  writeFileSync(file("rabbitmq-env.conf"), "");
  writeFileSync(file("enabled_plugins"), "[rabbitmq_management].\n");
}

/** Starts a private broker on the data of its directory. */
export async function startBroker(options: BrokerOptions): Promise<PrivateBroker> {
  const { directory } = options;
  mkdirSync(directory, { recursive: true });
  await endProcessesOf(directory, STOP_MS);
  const ports = { amqp: 0, management: 0, distribution: 0, epmd: 0 };
  for (const name of ["amqp", "management", "distribution", "epmd"] as const) ports[name] = await freePort();
  ports.epmd = options.epmdPort ?? ports.epmd;
  const password = keptPassword(directory);
  prepare(options, ports, password);
  const env = environmentOf(directory, ports);
  const logFile = join(directory, "log", "output.log");
  const epmd = options.epmdPort === undefined ? findEpmd() : undefined;
  let child: Child | undefined;

  const start = async (): Promise<void> => {
    // Ours, in the foreground: the one that Erlang starts by itself would stay behind.
    if (epmd !== undefined) startChild({ name: "epmd", command: epmd, args: [], env, directory, logFile });
    // Its own working directory, where Mnesia leaves a dump when it is ended in the middle of its start.
    const program = { name: "rabbitmq", command: options.program, args: [], env, cwd: directory };
    child = startChild({ ...program, directory, logFile });
    await waitUntilUp(child, ports.amqp, logFile);
  };
  await start();
  return {
    nodeName: nodeNameOf(directory),
    amqpUrl: `amqp://waypost:${password}@127.0.0.1:${ports.amqp}`,
    managementUrl: `http://waypost:${password}@127.0.0.1:${ports.management}`,
    start,
    kill: async () => void (await endProcessesOf(directory, 0)),
    stop: async () => void (await endProcessesOf(directory, STOP_MS)),
    control: async (...args) => {
      await promisify(execFile)(join(dirname(options.program), "rabbitmqctl"), args, { env });
    },
  };
}
