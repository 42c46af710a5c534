// Waypost with a RabbitMQ and a MongoDB of its own: one replica of each service, the whole of the promise kept, tracing at 5 %.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startBacking } from "#deploy/local/backing.ts";
import { compileServices } from "#deploy/local/compile-services.ts";
import { processesOf } from "#deploy/local/processes.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import { createLog } from "#shared/log.ts";
import { connectStore } from "#shared/store/connection.ts";
import { COMPILED } from "#test/support/service-process.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";
import type { RestTarget } from "../sources.ts";
import { SENDER } from "../sources.ts";
import type { Peer, PeerOptions } from "./peer.ts";

export interface Waypost extends Peer {
  readonly system: System;
  readonly account: TestAccount;
  /** For the source over REST: every replica of ingest that runs. */
  restTarget(): RestTarget;
  /** The bench's account with other settings beside its usual ones. */
  putAccount(settings: object): Promise<void>;
  /** One more domain of it, with a relay on this machine. */
  putDomain(domain: string, relay: { port: number; maxConnections: number }): Promise<void>;
  /** The processes of the five services on a mail's way, for their memory; that of control, which is the operators'. */
  services(): readonly number[];
  control(): readonly number[];
}

export interface WaypostOptions extends PeerOptions {
  /** Where every tracking point is posted to; nowhere by default. */
  endpointUrl?: string;
  /** Where spans go, over OTLP. */
  otlpUrl?: string;
  env?: Readonly<Record<string, string>>;
}

const RELAY_HOST = "relay.bench.example";
const ACCOUNT = "bench";
const PASSWORD = "bench-password";
const DOMAIN = SENDER.split("@")[1] ?? "";

function tracing(otlpUrl: string | undefined): Record<string, string> {
  const sampler = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.05" };
  return otlpUrl === undefined ? sampler : { ...sampler, OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl };
}

function expectOk({ status, body }: { status: number; body: unknown }): void {
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
}

async function putAccount({ control }: System, settings: object): Promise<void> {
  const account = {
    customerNo: "1",
    password: PASSWORD,
    sourceIps: ["127.0.0.0/8"],
    limits: { waitingMails: 10_000_000 },
  };
  expectOk(await control.put(`/v1/accounts/${ACCOUNT}`, { ...account, ...settings }));
}

async function putDomain(
  { control }: System,
  domain: string,
  relay: { port: number; maxConnections: number },
): Promise<void> {
  const at = `/v1/accounts/${ACCOUNT}/domains/${domain}`;
  expectOk(await control.put(at, {}));
  expectOk(await control.put(`${at}/relay`, { host: RELAY_HOST, tls: "never", ...relay }));
}

async function versions(managementUrl: string, mongodbUri: string): Promise<string> {
  const { origin, username, password } = new URL(managementUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const overview = (await (await fetch(`${origin}/api/overview`, { headers: { authorization } })).json()) as {
    rabbitmq_version: string;
  };
  const store = connectStore(mongodbUri, createLog("bench", "silent"));
  const { version } = await store.db.command({ buildInfo: 1 });
  await store.close();
  return `Waypost on Node ${process.versions.node}, RabbitMQ ${overview.rabbitmq_version}, MongoDB ${String(version)}`;
}

function portsOfIngest(system: System): number[] {
  return system.plan.replicas
    .filter(({ service, replica }) => service === "ingest" && system.process(service, replica).isRunning)
    .map(({ env }) => Number(env["WAYPOST_HTTP_PORT"]));
}

/** Starts it, the account and its relay configured. */
export async function startWaypost(options: WaypostOptions): Promise<Waypost> {
  const { directory } = options;
  mkdirSync(directory, { recursive: true });
  await compileServices(COMPILED);
  const backing = await startBacking({
    directory: join(directory, "backing"),
    keepData: false,
    report: () => undefined,
  });
  if (backing.managementUrl === undefined) throw new Error("the bench needs a private broker: unset AMQP_URL");
  const system = await startSystem({
    backing: {
      amqpUrl: backing.amqpUrl,
      managementUrl: backing.managementUrl,
      mongodbUri: backing.mongodbUri,
      directory,
    },
    env: {
      WAYPOST_STATIC_HOSTS: `${RELAY_HOST}=127.0.0.1`,
      WAYPOST_RETRY_SCHEDULE: "1m,5m,15m,30m,1h,2h,4h",
      WAYPOST_NOTIFY_LINGER: "1s",
      WAYPOST_SMTP_MAX_CONNECTIONS: "200",
      LOG_LEVEL: "info",
      ...tracing(options.otlpUrl),
      ...options.env,
    },
  });
  await putAccount(system, options.endpointUrl === undefined ? {} : { notification: { url: options.endpointUrl } });
  await putDomain(system, DOMAIN, { port: options.sinkPort, maxConnections: options.connections });
  return {
    name: "waypost",
    version: await versions(backing.managementUrl, backing.mongodbUri),
    smtpPort: system.smtpPort,
    system,
    account: { name: ACCOUNT, password: PASSWORD, domain: DOMAIN, sender: SENDER },
    restTarget: () => ({ ports: portsOfIngest(system), user: ACCOUNT, password: PASSWORD }),
    putAccount: (settings) => putAccount(system, settings),
    putDomain: (domain, relay) => putDomain(system, domain, relay),
    roots: () => processesOf(directory),
    services: () => SERVICES.filter((name) => name !== "control").map((name) => system.process(name).pid),
    control: () => [system.process("control").pid],
    stop: async () => {
      await system.stop();
      await backing.stop();
    },
  };
}
