// Before the tests of a tier that needs servers: RabbitMQ and MongoDB are brought up (or were, by test/run.ts); after them, all ends.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startBacking } from "#deploy/local/backing.ts";
import { endProcessesOf } from "#deploy/local/processes.ts";
import type { TestBacking } from "./backing.ts";
import { startCommonHost } from "./common-host.ts";
import { managementUrlOf } from "./management.ts";
import { ROOT } from "./service-process.ts";

interface OwnBacking {
  backing: TestBacking;
  stop(): Promise<void>;
}

async function bringUp(): Promise<OwnBacking> {
  const directory = join(ROOT, ".waypost", `test-${process.pid}`);
  mkdirSync(directory, { recursive: true });
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  const started = await startBacking({ directory, keepData: false, report });
  const managementUrl = started.managementUrl ?? managementUrlOf(started.amqpUrl);
  return {
    backing: { amqpUrl: started.amqpUrl, mongodbUri: started.mongodbUri, managementUrl, directory },
    stop: async () => {
      await started.stop();
      await endProcessesOf(directory, 0);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env["WAYPOST_TEST_BACKING"];
  const own = given === undefined ? await bringUp() : undefined;
  const backing = own?.backing ?? (JSON.parse(given ?? "{}") as TestBacking);
  const host = await startCommonHost(backing);
  project.provide("backing", backing);
  project.provide("commonUrl", host.url);
  return async () => {
    await host.close();
    await own?.stop();
  };
}
