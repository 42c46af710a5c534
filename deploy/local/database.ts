// A private MongoDB: own directory, own port, loopback only, a replica set of one (transactions need a replica set).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createLog } from "#shared/log.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import { freePort, isFree } from "./ports.ts";
import type { Child } from "./processes.ts";
import { endProcessesOf, startChild } from "./processes.ts";

export interface PrivateDatabase {
  readonly mongodbUri: string;
  /** Starts it again on the same port, after `kill` or `stop`. Resolves when it is primary. */
  start: () => Promise<void>;
  /** kill -9. */
  kill: () => Promise<void>;
  stop: () => Promise<void>;
}

export interface DatabaseOptions {
  program: string;
  /** Its own directory, which must be of this run alone. */
  directory: string;
  /** Server parameters added to its own: `name=value`. */
  parameters?: readonly string[];
}

const START_MS = 60_000;
const STOP_MS = 10_000;
export const SET = "waypost";

async function portOf(directory: string): Promise<number> {
  const file = join(directory, "port");
  const kept = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  const port = kept > 0 && (await isFree(kept)) ? kept : await freePort();
  writeFileSync(file, String(port));
  return port;
}

type Command = (command: Record<string, unknown>) => Promise<Record<string, unknown>>;

/** Makes it a replica set of one under its present port, whatever port the data was last served from. */
async function ensureSet(run: Command, host: string): Promise<void> {
  const members = [{ _id: 0, host }];
  const present = await run({ replSetGetConfig: 1 }).catch(() => undefined);
  if (present === undefined) {
    await run({ replSetInitiate: { _id: SET, members } });
    return;
  }
  const config = present["config"] as { version: number; members: { host: string }[] };
  if (config.members[0]?.host === host) return;
  const moved = { ...config, version: config.version + 1, members: [{ ...config.members[0], host }] };
  await run({ replSetReconfig: moved, force: true });
}

async function isPrimary(run: Command): Promise<boolean> {
  const hello = await run({ hello: 1 });
  return hello["isWritablePrimary"] === true;
}

/** Initiates the set once the server answers, then waits until it is primary. */
export async function bringUpSet(store: Store, host: string, isAlive: () => boolean): Promise<void> {
  const run: Command = (command) => store.db.command(command);
  const end = Date.now() + START_MS;
  let isSet = false;
  for (;;) {
    try {
      await store.ping();
      if (!isSet) await ensureSet(run, host);
      isSet = true;
      if (await isPrimary(run)) return;
    } catch (error) {
      if (!isAlive() || Date.now() > end) throw new Error("MongoDB did not start", { cause: error });
    }
    if (!isAlive() || Date.now() > end) throw new Error("MongoDB did not become primary");
    await sleep(100);
  }
}

/** How mongod is started, as a member of the set `waypost`. */
export function argumentsOf({ directory, parameters = [] }: Omit<DatabaseOptions, "program">, port: number): string[] {
  const options = {
    dbpath: join(directory, "data"),
    port: String(port),
    bind_ip: "127.0.0.1",
    replSet: SET,
    oplogSize: "256",
    wiredTigerCacheSizeGB: "0.5",
  };
  const ours = ["diagnosticDataCollectionEnabled=false", "shutdownTimeoutMillisForSignaledShutdown=100"];
  return [
    ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ...[...ours, ...parameters].flatMap((parameter) => ["--setParameter", parameter]),
    "--nounixsocket",
  ];
}

/** Starts a private database on the data of its directory. */
export async function startDatabase(options: DatabaseOptions): Promise<PrivateDatabase> {
  const { directory, program } = options;
  mkdirSync(join(directory, "data"), { recursive: true });
  await endProcessesOf(directory, STOP_MS);
  const port = await portOf(directory);
  const host = `127.0.0.1:${port}`;
  const logFile = join(directory, "mongod.log");

  const start = async (): Promise<void> => {
    const args = argumentsOf(options, port);
    const child: Child = startChild({ name: "mongod", command: program, args, env: process.env, directory, logFile });
    const store = connectStore(`mongodb://${host}/admin?directConnection=true`, createLog("local", "silent"));
    try {
      await bringUpSet(store, host, () => child.isRunning);
    } catch (error) {
      throw new Error(`MongoDB did not start (see ${logFile})`, { cause: error });
    } finally {
      await store.close();
    }
  };
  await start();
  return {
    mongodbUri: `mongodb://${host}/waypost?replicaSet=${SET}`,
    start,
    kill: async () => void (await endProcessesOf(directory, 0)),
    stop: async () => void (await endProcessesOf(directory, STOP_MS)),
  };
}
