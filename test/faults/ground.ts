// What a fault is applied to: a whole system on a RabbitMQ and a MongoDB of its own, which may be killed.
import { join } from "node:path";
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
import type { BackingChoice, GroundBacking } from "./ground-backing.ts";
import { startGroundBacking, stopGroundBacking } from "./ground-backing.ts";

export const RECIPIENT_DOMAIN = "recipient.example";
const ACCEPTING_MS = 15;
/** To the relay, of each delivery replica: a place is free again when the outcome of its mail is recorded. */
const CONNECTIONS = 10;

export interface Ground extends Omit<GroundBacking, "amqpUrl" | "mongodbUri" | "directUri"> {
  readonly system: System;
  readonly store: Store;
  readonly vhost: string;
  readonly account: TestAccount;
  readonly relay: MailServer;
  /** The recipients' own exchanger: no relayed mail of the account may ever come here. */
  readonly exchanger: MailServer;
  readonly endpoint: Endpoint;
  /** The most mails that the relay may have while their outcomes are not recorded: of one delivery replica, or of all. */
  inFlightAtMost(replica?: number): number;
  stop(): Promise<void>;
}

export interface GroundOptions extends Omit<BackingChoice, "directory"> {
  replicas?: SystemOptions["replicas"];
  env?: SystemOptions["env"];
}

/** The URI with the system's own database in it. */
function databaseOf(uri: string, system: System): string {
  const name = /\/([^/?]+)(\?|$)/.exec(system.mongodbUri)?.[1] ?? "";
  return uri.replace(/\/waypost\?/, `/${name}?`);
}

export async function startGround(options: GroundOptions = {}): Promise<Ground> {
  const directory = join(testBacking().directory, uniqueLabel("ground"));
  const { amqpUrl, mongodbUri, directUri, ...backing } = await startGroundBacking({ ...options, directory });
  const { managementUrl } = backing.broker;
  const system = await startSystem({
    backing: { amqpUrl, mongodbUri, managementUrl, directory },
    replicas: options.replicas ?? {},
    env: options.env ?? {},
  });
  const relay = await startMailServer({
    script: { dot: () => new Promise((resolve) => setTimeout(() => resolve(undefined), ACCEPTING_MS)) },
  });
  const exchanger = await startMailServer({ port: system.mxPort });
  system.dns.set(RECIPIENT_DOMAIN, { mx: [{ preference: 10, exchange: nameOf(exchanger.address) }] });
  const endpoint = await startEndpoint();
  const account = await system.account({ notification: { url: endpoint.url } });
  await system.relay(account, relay, { maxConnections: CONNECTIONS });
  const store = connectStore(databaseOf(directUri, system), createLog("test", "silent"));
  return {
    ...backing,
    system,
    store,
    vhost: decodeURIComponent(new URL(system.amqpUrl.split(",")[0] ?? "").pathname.slice(1)),
    account,
    relay,
    exchanger,
    endpoint,
    inFlightAtMost: (replica) => CONNECTIONS * (replica === undefined ? (options.replicas?.delivery ?? 1) : 1),
    stop: async () => {
      await store.close();
      await system.stop();
      await Promise.all([relay.close(), exchanger.close(), endpoint.close()]);
      await stopGroundBacking({ amqpUrl, mongodbUri, directUri, ...backing }, directory);
    },
  };
}
