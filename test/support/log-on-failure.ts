// When a test fails, says what the services of the run logged as warnings and errors in the meantime.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeEach } from "vitest";
import { testBacking } from "./backing.ts";
import { logOf } from "./service-process.ts";

const LINES = 12;
const LEVELS = /"level":"(warn|error|fatal)"/;

function logFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => /system-[^/]+\/[^/]+\.log$/.test(name))
    .map((name) => join(directory, name));
}

beforeEach((context) => {
  const startedAt = Date.now();
  context.onTestFailed(() => {
    for (const file of logFiles(testBacking().directory)) {
      if (statSync(file).mtimeMs < startedAt) continue;
      const lines = logOf(file).trim().split("\n");
      const told = lines.filter((line) => LEVELS.test(line) || !line.startsWith("{")).slice(-LINES);
      if (told.length > 0) process.stderr.write(`--- ${file}\n${told.join("\n")}\n`);
    }
  });
});
