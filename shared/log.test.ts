import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";

const LOG_FOR_A_WHILE = `
const { createLog } = await import("./shared/log.ts");
const log = createLog("test", "info");
for (let line = 0; line < 3; line += 1) {
  log.info("test.logged");
  await new Promise((resolve) => setTimeout(resolve, 5));
}
process.exit(0);
`;

it("goes on where the disk that its lines go to is full", async () => {
  const full = openSync("/dev/full", "w");
  const child = spawn(process.execPath, ["--input-type=module", "--eval", LOG_FOR_A_WHILE], {
    stdio: ["ignore", full, "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
});

const LOG_TOO_MUCH = `
const { createLog } = await import("./shared/log.ts");
const log = createLog("test", "info");
for (let line = 0; line < 12_000; line += 1) log.info({ filling: "x".repeat(1_000) }, "test.logged");
`;

it("says how many lines it left out when there is room again", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", LOG_TOO_MUCH], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = (await text(child.stdout)).trimEnd().split("\n");
  const last = JSON.parse(lines.pop() ?? "") as unknown;
  expect(last).toMatchObject({ event: "log.lines_left_out", lines: 12_000 - lines.length });
});
