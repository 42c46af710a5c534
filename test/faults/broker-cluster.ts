// Three RabbitMQ nodes on this machine as one cluster: same cookie and credentials, one epmd that outlives each of them.
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PrivateBroker } from "#deploy/local/broker.ts";
import { nodeNameOf, startBroker } from "#deploy/local/broker.ts";
import { freePort } from "#deploy/local/ports.ts";
import { startChild } from "#deploy/local/processes.ts";
import { findEpmd } from "#deploy/local/programs.ts";

const NODES = 3;

function startEpmd(directory: string, port: number): void {
  const command = findEpmd();
  if (command === undefined) throw new Error("a cluster needs Erlang's epmd, which is not on this machine");
  const env = { ...process.env, ERL_EPMD_ADDRESS: "127.0.0.1", ERL_EPMD_PORT: String(port) };
  const place = join(directory, "epmd");
  startChild({ name: "epmd", command, args: [], env, directory: place, logFile: join(place, "epmd.log") });
}

/** What the nodes have in common, written where each looks for it. */
function prepare(directories: readonly string[]): void {
  const [cookie, password] = [randomBytes(16).toString("hex").toUpperCase(), randomBytes(18).toString("hex")];
  for (const directory of directories) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, ".erlang.cookie"), cookie, { mode: 0o400 });
    writeFileSync(join(directory, "password"), password, { mode: 0o600 });
  }
}

function clusteringOf(directories: readonly string[]): string[] {
  return [
    "cluster_partition_handling = pause_minority",
    "cluster_formation.peer_discovery_backend = classic_config",
    ...directories.map((item, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${nodeNameOf(item)}`),
  ];
}

/** The nodes, the first first: it makes the cluster, the others join it. */
export async function startBrokerCluster(options: {
  program: string;
  directory: string;
  configuration: readonly string[];
}): Promise<PrivateBroker[]> {
  const epmdPort = await freePort();
  startEpmd(options.directory, epmdPort);
  const directories = Array.from({ length: NODES }, (_, index) => join(options.directory, `node-${index}`));
  prepare(directories);
  const configuration = [...options.configuration, ...clusteringOf(directories)];
  const nodes: PrivateBroker[] = [];
  for (const directory of directories) {
    nodes.push(await startBroker({ program: options.program, directory, configuration, epmdPort }));
  }
  return nodes;
}
