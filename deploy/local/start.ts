// `npm start`: backing services, the six services, a demo account with its relay, one relayed mail; stays up until Ctrl-C.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Backing } from "./backing.ts";
import { exitCodeOf, startBacking } from "./backing.ts";
import type { DemoAccess } from "./demo.ts";
import { DEMO_ACCOUNT, relayDemoMail, setUpDemo } from "./demo.ts";
import type { DemoServers } from "./demo-servers.ts";
import { DEMO_HOST, startDemoServers } from "./demo-servers.ts";
import type { Credentials } from "./instance.ts";
import { compileServices } from "./compile-services.ts";
import { forgetRunning, keptCredentials, LOCAL_DIRECTORY, otherStart, tellRunning } from "./instance.ts";
import { farewell, say, welcome } from "./messages.ts";
import { endProcessesOf } from "./processes.ts";
import { localEnvironment } from "./service-environment.ts";
import type { LocalPorts, LocalServices } from "./service-processes.ts";
import { choosePorts, portsSet, logFileOf, startServices, untilReady } from "./service-processes.ts";
import { SERVICES } from "#shared/broker/topology.ts";

const STOP_MS = 10_000;
const NOTIFIED_MS = 15_000;

interface Running {
  backing?: Backing;
  services?: LocalServices;
  demo?: DemoServers;
  isStopping: boolean;
}

async function stop(running: Running): Promise<void> {
  await running.services?.stop();
  await running.demo?.close();
  await running.backing?.stop();
  await endProcessesOf(LOCAL_DIRECTORY, STOP_MS);
  forgetRunning();
}

/** The first signal stops everything; npm passes each on a second time. */
function stopOnSignals(running: Running): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (running.isStopping) return;
      running.isStopping = true;
      say("stopping…");
      void stop(running).then(() => {
        farewell();
        process.exit(0);
      });
    });
  }
}

function reportDeaths(running: Running, services: LocalServices): void {
  for (const child of services.children) {
    void child.exited.then(({ code, signal }) => {
      if (running.isStopping) return;
      const service = SERVICES.find((name) => name === child.name);
      const log = service === undefined ? "" : `: see ${logFileOf(service)}`;
      say(`${child.name} ended unexpectedly (${signal ?? `exit ${code}`})${log}`);
    });
  }
}

function accessOf(ports: LocalPorts, credentials: Credentials, { amqpUrl, managementUrl }: Backing): DemoAccess {
  return {
    controlUrl: `http://${ports.host}:${ports.control}`,
    ingestUrl: `http://${ports.host}:${ports.http}`,
    adminToken: credentials.adminToken,
    password: credentials.demoPassword,
    ...(managementUrl === undefined ? {} : { amqpUrl }),
  };
}

/** The POST that tells of a job's end, out of all that the demo endpoint got. */
async function notificationOf(jobId: string, received: readonly string[]): Promise<string | undefined> {
  const end = Date.now() + NOTIFIED_MS;
  while (Date.now() < end) {
    const found = received.find((body) => body.includes(jobId) && body.includes('"FINISHED"'));
    if (found !== undefined) return found;
    await sleep(50);
  }
  return undefined;
}

async function start(running: Running): Promise<void> {
  const kept = keptCredentials();
  const credentials = { ...kept, adminToken: process.env["WAYPOST_ADMIN_TOKEN"] || kept.adminToken };
  await endProcessesOf(LOCAL_DIRECTORY, STOP_MS);
  rmSync(join(LOCAL_DIRECTORY, "log"), { recursive: true, force: true });
  const compiling = compileServices(LOCAL_DIRECTORY);
  compiling.catch(() => undefined);
  const set = portsSet();
  running.backing = await startBacking({ directory: LOCAL_DIRECTORY, keepData: true, report: say });
  say(`${running.backing.parts.join(" and ")}: up`);
  const ports = await choosePorts(set);

  const received: string[] = [];
  running.demo = await startDemoServers(
    {
      mailReceived: (from, to) => say(`DEMO mail server: took a mail from <${from}> to <${to.join(">, <")}>`),
      notified: (body) => void received.push(body),
    },
    new Set([ports.http, ports.smtp, ports.control]),
  );
  await compiling;
  say(`starting ${SERVICES.join(", ")}`);
  const env = localEnvironment(process.env, { ...running.backing, ...credentials, demoHost: DEMO_HOST });
  running.services = startServices(env, ports, process.argv.includes("--watch"));
  reportDeaths(running, running.services);
  await untilReady(running.services, ports);
  say("every service is ready");

  const access = await setUpDemo(accessOf(ports, credentials, running.backing), running.demo);
  const { adminToken, password, controlUrl, ingestUrl } = access;
  const demo = { account: DEMO_ACCOUNT, password };
  tellRunning({ pid: process.pid, controlUrl, adminToken, ingestUrl, ...demo, ports });
  const outcome = await relayDemoMail(access);
  const push = await notificationOf(outcome.jobId, received);
  welcome({ access, ports, demo: running.demo, outcome, push });
}

async function main(): Promise<void> {
  const other = otherStart();
  if (other !== undefined) {
    say(`Waypost already runs in this clone (process ${other}): end it with Ctrl-C there, or kill ${other}, first`);
    process.exitCode = 1;
    return;
  }
  const running: Running = { isStopping: false };
  // A closed terminal takes our output with it, not the time to stop what was started.
  process.stdout.on("error", () => undefined);
  stopOnSignals(running);
  try {
    await start(running);
  } catch (error) {
    if (running.isStopping) return;
    running.isStopping = true;
    console.error(error instanceof Error ? error.message : String(error));
    if (error instanceof Error && error.cause instanceof Error) console.error(error.cause.message);
    await stop(running);
    process.exit(exitCodeOf(error));
  }
}

await main();
