// A private ZoneMTA from npm with a MongoDB and a Redis of its own; one zone that relays everything to the sink. Two of its
// limits are in its code: a zone whose queue was empty is not looked at for 5 s, and a sender that got nothing waits 1 s.
import type { ChildProcess } from "node:child_process";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { startDatabase } from "#deploy/local/database.ts";
import { freePort } from "#deploy/local/ports.ts";
import { processesOf, RUN_MARK } from "#deploy/local/processes.ts";
import { findDatabase } from "#deploy/local/programs.ts";
import { eventually } from "#test/support/eventually.ts";
import { RECIPIENT } from "../sources.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const ZONE_MTA_VERSION = "3.10.3";
/** It needs what newer ones have removed (process.binding of http_parser). */
const ITS_NODE = "22";
const DOMAIN = RECIPIENT.split("@")[1] ?? "";

/** Beside the rounds' directories: once a run. A signal must not have to wait for it. */
async function install(directory: string): Promise<string> {
  const home = join(directory, "../zone-mta-package");
  const app = join(home, "node_modules/zone-mta");
  if (existsSync(app)) return app;
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"), '{"private":true,"allowScripts":{"node":true}}');
  const words = ["install", `zone-mta@${ZONE_MTA_VERSION}`, `node@${ITS_NODE}`, "--no-audit", "--no-fund"];
  const [code] = (await once(run("npm", words, { directory: home, cwd: home }), "close")) as [number | null];
  if (code !== 0) throw new Error(`npm could not install zone-mta (${code})`);
  return app;
}

interface Ports {
  smtp: number;
  api: number;
  queue: number;
  redis: number;
}

/** Two processes for two processors on each side, as many connections together as the others have. */
const PROCESSES = 2;

function configuration(
  options: PeerOptions,
  app: string,
  { ports, mongoUri }: { ports: Ports; mongoUri: string },
): string {
  const overrides = {
    dbs: { mongo: mongoUri, redis: { host: "127.0.0.1", port: ports.redis, db: 3 }, sender: "zone-mta" },
    smtpInterfaces: { feeder: { port: ports.smtp, processes: PROCESSES } },
    api: { port: ports.api },
    queueServer: { port: ports.queue },
    log: { level: "error" },
    dkim: { enabled: false },
    mtaSts: { enabled: false },
    pluginsPath: join(app, "plugins"),
    plugins: { "core/email-bounce": false },
    zones: {
      default: {
        host: "127.0.0.1",
        port: options.sinkPort,
        ignoreTLS: true,
        connections: options.connections / PROCESSES,
        processes: PROCESSES,
        // Its cache loses sight of connections that stay open: 800 at once were seen with it, and no more mails a second.
        connectionCache: { ttl: 5, reuseCount: 1 },
      },
    },
    // By the domain's name: it reads its `default` nowhere, and at five connections to a domain its zone stops for 5 s.
    // Above what the zone opens, so that the zone is the limit.
    domainConfig: { [DOMAIN]: { maxConnections: 2 * options.connections } },
  };
  return `${JSON.stringify(overrides, null, 2)}\n`;
}

function run(command: string, words: readonly string[], place: { directory: string; cwd: string }): ChildProcess {
  const { directory, cwd } = place;
  const output = openSync(join(directory, `${command.split("/").at(-1)}.log`), "a");
  return spawn(command, words, {
    stdio: ["ignore", output, output],
    cwd,
    env: { ...process.env, [RUN_MARK]: directory },
  });
}

function versionIn(place: string): string {
  return (JSON.parse(readFileSync(join(place, "package.json"), "utf8")) as { version: string }).version;
}

function redisVersion(): string {
  return /v=(\S+)/.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1] ?? "?";
}

async function greets(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    const [greeting] = (await once(socket, "data", { signal: AbortSignal.timeout(5_000) })) as [Buffer];
    return greeting.toString().startsWith("220");
  } finally {
    socket.destroy();
  }
}

/** Its title would overwrite its environment, and with that the mark by which a run that was ended finds it. */
function startRedis(directory: string, port: number): ChildProcess {
  const settings = { port: String(port), bind: "127.0.0.1", save: "", dir: directory, "set-proc-title": "no" };
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return run("redis-server", words, { directory, cwd: directory });
}

/** Starts it. Throws when Debian's package `redis-server` is not installed. */
export async function startZoneMta(options: PeerOptions): Promise<Peer> {
  const directory = options.directory;
  mkdirSync(directory, { recursive: true });
  const app = await install(directory);
  const ports: Ports = {
    smtp: await freePort(),
    api: await freePort(),
    queue: await freePort(),
    redis: await freePort(),
  };
  const program = findDatabase();
  if (program === undefined) throw new Error("no mongod on this machine: run `npm test` once, which gets it");
  const mongo = await startDatabase({ program, directory: join(directory, "mongo") });
  const redis = startRedis(directory, ports.redis);
  const settings = join(directory, "zone-mta.json");
  writeFileSync(
    settings,
    configuration(options, app, { ports, mongoUri: mongo.mongodbUri.replace("/waypost?", "/zone-mta?") }),
  );
  const zoneMta = run(
    join(app, "../.bin/node"),
    [join(app, "app.js"), `--config=${settings}`],
    // Its plugins are found from where it runs.
    { directory, cwd: app },
  );
  // Its master listens before its receivers do, and closes what comes until then.
  await eventually(() => greets(ports.smtp), 60_000);
  return {
    name: "zone-mta",
    version: `ZoneMTA ${versionIn(app)} on Node ${versionIn(join(app, "../node"))}, Redis ${redisVersion()}`,
    smtpPort: ports.smtp,
    roots: () => [zoneMta.pid, redis.pid, ...processesOf(join(directory, "mongo"))].filter((pid) => pid !== undefined),
    stop: async () => {
      for (const child of [zoneMta, redis]) await ended(child);
      await mongo.stop();
    },
  };
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on("close", () => resolve());
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 5_000).unref();
  });
}
