// The backing services as containers, where a Docker engine answers. Data stays in named volumes of this clone.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { createLog } from "#shared/log.ts";
import { connectStore } from "#shared/store/connection.ts";
import { bringUpSet } from "./database.ts";

export interface BrokerContainer {
  amqpUrl: string;
  managementUrl: string;
  stop: () => Promise<void>;
}

export interface DatabaseContainer {
  mongodbUri: string;
  stop: () => Promise<void>;
}

const BROKER_IMAGE = "rabbitmq:4-management";
const DATABASE_IMAGE = "mongo:8";
const PING_MS = 3_000;

function socketPaths(): string[] {
  const host = process.env["DOCKER_HOST"];
  if (host?.startsWith("unix://") === true) return [host.slice("unix://".length)];
  return [
    "/var/run/docker.sock",
    join(homedir(), ".docker/run/docker.sock"),
    join(homedir(), ".colima/default/docker.sock"),
    join(process.env["XDG_RUNTIME_DIR"] ?? "/nonexistent", "docker.sock"),
  ].filter((path) => existsSync(path));
}

function ping(target: { socketPath: string } | { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ ...target, path: "/_ping", timeout: PING_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.once("error", () => resolve(false));
    call.once("timeout", () => call.destroy(new Error("no answer")));
    call.end();
  });
}

/** Whether a Docker engine answers on its usual sockets or on DOCKER_HOST. */
export async function dockerAnswers(): Promise<boolean> {
  const host = process.env["DOCKER_HOST"];
  if (host?.startsWith("tcp://") === true) {
    const url = new URL(host);
    return ping({ host: url.hostname, port: Number(url.port) || 2375 });
  }
  for (const socketPath of socketPaths()) if (await ping({ socketPath })) return true;
  return false;
}

function volumeOf(directory: string, part: string): string {
  return `waypost-${createHash("sha256").update(directory).digest("hex").slice(0, 10)}-${part}`;
}

export async function startBrokerContainer(directory: string, keepData: boolean): Promise<BrokerContainer> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const plain = new GenericContainer(BROKER_IMAGE)
    // The node's name, and so its data directory, follows the host name.
    .withHostname("waypost")
    .withEnvironment({ RABBITMQ_DEFAULT_USER: "waypost", RABBITMQ_DEFAULT_PASS: "waypost" })
    .withExposedPorts(5672, 15672)
    .withWaitStrategy(Wait.forLogMessage(/Server startup complete/))
    .withStartupTimeout(180_000);
  const volume = { source: volumeOf(directory, "rabbitmq"), target: "/var/lib/rabbitmq" };
  const started = await (keepData ? plain.withBindMounts([volume]) : plain).start();
  const host = started.getHost();
  return {
    amqpUrl: `amqp://waypost:waypost@${host}:${started.getMappedPort(5672)}`,
    managementUrl: `http://waypost:waypost@${host}:${started.getMappedPort(15672)}`,
    stop: async () => void (await started.stop({ timeout: 10_000 })),
  };
}

export async function startDatabaseContainer(directory: string, keepData: boolean): Promise<DatabaseContainer> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const plain = new GenericContainer(DATABASE_IMAGE)
    .withCommand(["--replSet", "waypost", "--bind_ip_all"])
    .withExposedPorts(27017)
    .withWaitStrategy(Wait.forLogMessage(/Waiting for connections/i))
    .withStartupTimeout(180_000);
  const volume = { source: volumeOf(directory, "mongodb"), target: "/data/db" };
  const started = await (keepData ? plain.withBindMounts([volume]) : plain).start();
  // The member is known by its address inside the container: from outside it is reached directly, never by discovery.
  const address = `${started.getHost()}:${started.getMappedPort(27017)}`;
  const store = connectStore(`mongodb://${address}/admin?directConnection=true`, createLog("local", "silent"));
  try {
    await bringUpSet(store, "127.0.0.1:27017", () => true);
  } finally {
    await store.close();
  }
  return {
    mongodbUri: `mongodb://${address}/waypost?directConnection=true`,
    stop: async () => void (await started.stop({ timeout: 10_000 })),
  };
}
