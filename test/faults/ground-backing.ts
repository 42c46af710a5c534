// The RabbitMQ and MongoDB that a fault test may kill: one of each, or a cluster and a replica set of three.
import { join } from "node:path";
import type { PrivateBroker } from "#deploy/local/broker.ts";
import { startBroker } from "#deploy/local/broker.ts";
import type { PrivateDatabase } from "#deploy/local/database.ts";
import { startDatabase } from "#deploy/local/database.ts";
import { installBroker } from "#deploy/local/install-broker.ts";
import { installDatabase } from "#deploy/local/install-database.ts";
import { endProcessesOf } from "#deploy/local/processes.ts";
import { findBroker, findDatabase } from "#deploy/local/programs.ts";
import type { TcpProxy } from "#test/support/tcp-proxy.ts";
import { startTcpProxy } from "#test/support/tcp-proxy.ts";
import { startBrokerCluster } from "./broker-cluster.ts";
import type { ReplicaSet } from "./replica-set.ts";
import { startReplicaSet } from "./replica-set.ts";

const CONFIGURATION = ["collect_statistics_interval = 1000"];

export interface GroundBacking {
  /** One, or the three of a cluster. */
  readonly nodes: readonly PrivateBroker[];
  readonly broker: PrivateBroker;
  /** There unless it is a replica set of three. */
  readonly database: PrivateDatabase | undefined;
  readonly replicaSet: ReplicaSet | undefined;
  /** Between the services and the broker, and the database; there where asked for. */
  readonly brokerProxy: TcpProxy | undefined;
  readonly databaseProxy: TcpProxy | undefined;
  /** As the services see them. */
  readonly amqpUrl: string;
  readonly mongodbUri: string;
  /** The database past any proxy. */
  readonly directUri: string;
}

export interface BackingChoice {
  directory: string;
  /** Puts TCP proxies before the broker and the database. */
  proxied?: boolean;
  /** Three nodes of RabbitMQ and three members of MongoDB. */
  clustered?: boolean;
}

async function programOf(
  find: () => string | undefined,
  install: () => Promise<string | undefined>,
  name: string,
): Promise<string> {
  if (find() === undefined) await install();
  const program = find();
  if (program === undefined) throw new Error(`the fault tests kill their own ${name}: its program must be here`);
  return program;
}

const brokerProgram = (): Promise<string> => programOf(findBroker, installBroker, "RabbitMQ");
const databaseProgram = (): Promise<string> => programOf(findDatabase, installDatabase, "MongoDB");

const portIn = (url: string): number => Number(/127\.0\.0\.1:(\d+)/.exec(url)?.[1]);

function behind(url: string, proxy: TcpProxy | undefined): string {
  if (proxy === undefined) return url;
  return url
    .replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${proxy.port}`)
    .replace(/replicaSet=[^&]+/, "directConnection=true");
}

async function single({ directory, proxied = false }: BackingChoice): Promise<GroundBacking> {
  const broker = await startBroker({
    program: await brokerProgram(),
    directory: join(directory, "rabbitmq"),
    configuration: CONFIGURATION,
  });
  const database = await startDatabase({
    program: await databaseProgram(),
    directory: join(directory, "mongodb"),
    // Fail points: how a question for changes fails.
    parameters: proxied ? ["enableTestCommands=1"] : [],
  });
  const brokerProxy = proxied ? await startTcpProxy({ port: portIn(broker.amqpUrl) }) : undefined;
  const databaseProxy = proxied ? await startTcpProxy({ port: portIn(database.mongodbUri) }) : undefined;
  return {
    nodes: [broker],
    broker,
    database,
    replicaSet: undefined,
    brokerProxy,
    databaseProxy,
    amqpUrl: behind(broker.amqpUrl, brokerProxy),
    mongodbUri: behind(database.mongodbUri, databaseProxy),
    directUri: database.mongodbUri,
  };
}

async function clustered({ directory }: BackingChoice): Promise<GroundBacking> {
  const nodes = await startBrokerCluster({
    program: await brokerProgram(),
    directory: join(directory, "rabbitmq"),
    configuration: CONFIGURATION,
  });
  const [broker] = nodes;
  if (broker === undefined) throw new Error("a cluster has nodes");
  const replicaSet = await startReplicaSet({ program: await databaseProgram(), directory: join(directory, "mongodb") });
  return {
    nodes,
    broker,
    database: undefined,
    replicaSet,
    brokerProxy: undefined,
    databaseProxy: undefined,
    amqpUrl: nodes.map(({ amqpUrl }) => amqpUrl).join(","),
    mongodbUri: replicaSet.mongodbUri,
    directUri: replicaSet.mongodbUri,
  };
}

export function startGroundBacking(choice: BackingChoice): Promise<GroundBacking> {
  return choice.clustered === true ? clustered(choice) : single(choice);
}

export async function stopGroundBacking(backing: GroundBacking, directory: string): Promise<void> {
  await Promise.all([backing.brokerProxy?.close(), backing.databaseProxy?.close()]);
  await Promise.all(["rabbitmq", "mongodb"].map((name) => endProcessesOf(join(directory, name), 0)));
}
