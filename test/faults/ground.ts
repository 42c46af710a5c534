// What a fault is applied to: a whole system on a RabbitMQ and a MongoDB of its own, which may be killed.
import { join } from "node:path";
import { startBroker } from "#deploy/local/broker.ts";
import type { PrivateBroker } from "#deploy/local/broker.ts";
import type { PrivateDatabase } from "#deploy/local/database.ts";
import { startDatabase } from "#deploy/local/database.ts";
import { installBroker } from "#deploy/local/install-broker.ts";
import { installDatabase } from "#deploy/local/install-database.ts";
import { findBroker, findDatabase } from "#deploy/local/programs.ts";
import { createLog } from "#shared/log.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import { nameOf, uniqueLabel } from "#test/support/addresses.ts";
import { testBacking } from "#test/support/backing.ts";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { TestAccount } from "#test/support/system-client.ts";
import type { System, SystemOptions } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TcpProxy } from "#test/support/tcp-proxy.ts";
import { startTcpProxy } from "#test/support/tcp-proxy.ts";

export const RECIPIENT_DOMAIN = "recipient.example";
const ACCEPTING_MS = 15;

export interface Ground {
  readonly system: System;
  readonly broker: PrivateBroker;
  readonly database: PrivateDatabase;
  /** Between the services and the broker, and the database; there where asked for. */
  readonly brokerProxy: TcpProxy | undefined;
  readonly databaseProxy: TcpProxy | undefined;
  readonly store: Store;
  readonly vhost: string;
  readonly account: TestAccount;
  readonly relay: MailServer;
  /** The recipients' own exchanger: no mail of the account may ever come here. */
  readonly exchanger: MailServer;
  readonly endpoint: Endpoint;
  stop(): Promise<void>;
}

export interface GroundOptions {
  replicas?: SystemOptions["replicas"];
  /** Puts TCP proxies before the broker and the database. */
  proxied?: boolean;
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

function behind(url: string, proxy: TcpProxy | undefined): string {
  if (proxy === undefined) return url;
  return url
    .replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${proxy.port}`)
    .replace(/replicaSet=[^&]+/, "directConnection=true");
}

const portIn = (url: string): number => Number(/127\.0\.0\.1:(\d+)/.exec(url)?.[1]);

export async function startGround(options: GroundOptions = {}): Promise<Ground> {
  const directory = join(testBacking().directory, uniqueLabel("ground"));
  const program = await programOf(findBroker, installBroker, "RabbitMQ");
  const broker = await startBroker({
    program,
    directory: join(directory, "rabbitmq"),
    configuration: ["collect_statistics_interval = 1000"],
  });
  const database = await startDatabase({
    program: await programOf(findDatabase, installDatabase, "MongoDB"),
    directory: join(directory, "mongodb"),
  });
  const proxied = options.proxied === true;
  const brokerProxy = proxied ? await startTcpProxy({ port: portIn(broker.amqpUrl) }) : undefined;
  const databaseProxy = proxied ? await startTcpProxy({ port: portIn(database.mongodbUri) }) : undefined;
  const system = await startSystem({
    backing: {
      amqpUrl: behind(broker.amqpUrl, brokerProxy),
      mongodbUri: behind(database.mongodbUri, databaseProxy),
      managementUrl: broker.managementUrl,
      directory,
    },
    replicas: options.replicas ?? {},
  });
  const relay = await startMailServer({
    script: { dot: () => new Promise((resolve) => setTimeout(() => resolve(undefined), ACCEPTING_MS)) },
  });
  const exchanger = await startMailServer({ port: system.mxPort });
  system.dns.set(RECIPIENT_DOMAIN, { mx: [{ preference: 10, exchange: nameOf(exchanger.address) }] });
  const endpoint = await startEndpoint();
  const account = await system.account({ notification: { url: endpoint.url } });
  await system.relay(account, relay);
  const directUri = system.mongodbUri.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${portIn(database.mongodbUri)}`);
  const store = connectStore(directUri, createLog("test", "silent"));
  return {
    system,
    broker,
    database,
    brokerProxy,
    databaseProxy,
    store,
    vhost: decodeURIComponent(new URL(system.amqpUrl).pathname.slice(1)),
    account,
    relay,
    exchanger,
    endpoint,
    stop: async () => {
      await store.close();
      await system.stop();
      await Promise.all([relay.close(), exchanger.close(), endpoint.close()]);
      await Promise.all([brokerProxy?.close(), databaseProxy?.close()]);
      await Promise.all([broker.kill(), database.kill()]);
    },
  };
}
