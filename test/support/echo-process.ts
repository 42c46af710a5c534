// Starts the echo service as a process, in a virtual host and on a health port of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "#deploy/local/ports.ts";
import type { Child, Exit } from "#deploy/local/processes.ts";
import { startChild } from "#deploy/local/processes.ts";
import type { Broker } from "#shared/broker/actor.ts";
import { ownPlace, testBacking } from "./backing.ts";
import { eventually } from "./eventually.ts";
import { connect } from "./runtime.ts";
import { inherited, logOf, ROOT } from "./service-process.ts";

export interface EchoProcess {
  readonly child: Child;
  readonly exited: Promise<Exit>;
  /** The runtime of the test in the same virtual host. */
  readonly broker: Broker;
  readonly healthPort: number;
  /** What it wrote to stdout and stderr. */
  output(): string;
  get(path: string): Promise<{ status: number; text: string }>;
  untilReady(): Promise<void>;
}

export async function startEcho(env: Readonly<Record<string, string>> = {}): Promise<EchoProcess> {
  const place = await ownPlace(testBacking());
  const directory = mkdtempSync(join(testBacking().directory, "echo-"));
  const healthPort = await freePort();
  const logFile = join(directory, "echo.log");
  const child = startChild({
    name: "echo",
    command: process.execPath,
    args: [join(ROOT, "test/support/echo-service.ts")],
    env: {
      ...inherited(),
      AMQP_URL: place.amqpUrl,
      MONGODB_URI: place.mongodbUri,
      WAYPOST_HEALTH_PORT: String(healthPort),
      ...env,
    },
    directory,
    cwd: ROOT,
    logFile,
  });
  onTestFinished(async () => {
    await child.stop(0);
    await place.remove();
    rmSync(directory, { recursive: true, force: true });
  });
  const get: EchoProcess["get"] = async (path) => {
    const response = await fetch(`http://127.0.0.1:${healthPort}${path}`, { signal: AbortSignal.timeout(2_000) });
    return { status: response.status, text: await response.text() };
  };
  return {
    child,
    exited: child.exited,
    broker: connect(place.amqpUrl),
    healthPort,
    output: () => logOf(logFile),
    get,
    untilReady: async () => void (await eventually(async () => (await get("/readyz")).status === 200)),
  };
}
