// What a signal does to a process that is still loading its service.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it } from "vitest";

it.each(["SIGTERM", "SIGINT"] as const)("exits 0 on %s while a service is still loading", async (signal) => {
  const prepared = join(import.meta.dirname, "prepare-process.ts");
  const script = `await import(${JSON.stringify(prepared)}); console.log("loading"); setTimeout(() => {}, 60_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  child.kill(signal);
  expect(await once(child, "exit")).toEqual([0, null]);
});
