// Services start from compiled sources: what strips types is loaded by nobody, and takes its 30 MB nowhere.
import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { compileServices } from "#deploy/local/compile-services.ts";
import { ROOT } from "#deploy/local/instance.ts";
import { serviceEnvironment } from "#deploy/local/service-environment.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import { testBacking } from "#test/support/backing.ts";

const run = promisify(execFile);
const SERVICE_MODULES = ["./shared/prepare-process.ts", ...SERVICES.map((name) => `./services/${name}/service.ts`)];
const WHEN_SETTINGS_ASK = ["./services/ingest/self-signed.ts", "./shared/telemetry/traces.ts"];

/** Whether a process that loads all of it strips types. */
async function strips(directory: string): Promise<boolean> {
  const modules = JSON.stringify([...SERVICE_MODULES, ...WHEN_SETTINGS_ASK]);
  const program = `
    for (const module of ${modules}) await import(module);
    console.log(process.moduleLoadList.some((name) => name.includes("amaro")));
    process.exit();
  `;
  const env = serviceEnvironment(directory);
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: ROOT, env });
  return stdout.trim() === "true";
}

/** Ten processes load all there is, on a machine that runs other tests. */
const LOADED_MS = 90_000;

it("loads nothing that strips types once the services were compiled", { timeout: LOADED_MS }, async () => {
  const directory = mkdtempSync(join(testBacking().directory, "compiled-"));
  await compileServices(directory);
  expect(await strips(directory)).toBe(false);
  expect(await strips(join(directory, "another"))).toBe(true);
});
