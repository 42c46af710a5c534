// What a signal does to a process that is still loading its service.
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it } from "vitest";

/** A process that was prepared, has said so, and then does what `then` says. */
async function prepared(then: string): Promise<ChildProcess> {
  const module = JSON.stringify(join(import.meta.dirname, "prepare-process.ts"));
  const script = `await import(${module}); console.log("loading"); ${then}; setTimeout(() => {}, 10_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  return child;
}

it.each(["SIGTERM", "SIGINT"] as const)("exits 0 on %s while a service is still loading", async (signal) => {
  const child = await prepared("");
  child.kill(signal);
  expect(await once(child, "exit")).toEqual([0, null]);
});

it("leaves a signal to the service that came just before that listens", async () => {
  const busy = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)";
  const child = await prepared(`${busy}; process.on("SIGTERM", () => process.exit(3))`);
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([3, null]);
});
