// `npm start` as a newcomer has it, on private instances: what it shows, the README's examples, a crash of everything, Ctrl-C.
import type { ChildProcess } from "node:child_process";
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { endProcessesOf, processesOf, RUN_MARK } from "#deploy/local/processes.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";
import { ROOT } from "#test/support/service-process.ts";

const UP_MS = 120_000;
const run = promisify(execFile);

const folder = join(testBacking().directory, uniqueLabel("start"));
const home = join(folder, ".waypost");
const local = join(home, "local");

function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(AMQP_URL$|MONGODB_URI$|WAYPOST_|VITEST|NODE_ENV$)/.test(name),
  );
  return { ...Object.fromEntries(own), WAYPOST_TEST_HOME: home, [RUN_MARK]: folder };
}

interface Start {
  child: ChildProcess;
  output(): string;
  exit: Promise<number | null>;
}

function start(name: string): Start {
  const file = join(folder, name);
  const output = openSync(file, "a");
  const child = spawn(process.execPath, [join(ROOT, "deploy/local/start.ts")], {
    env: environment(),
    stdio: ["ignore", output, output],
    detached: true,
  });
  const exit = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  return { child, output: () => readFileSync(file, "utf8"), exit };
}

async function untilUp(started: Start): Promise<string> {
  await eventually(() => started.output().includes("Ctrl-C stops everything."), UP_MS);
  return started.output();
}

async function waypost(line: string): Promise<string> {
  const command = line.replace(/^npx waypost/, `sh ${join(ROOT, "services/control/cli/waypost.sh")}`);
  const done = await run("sh", ["-c", command], { cwd: folder, env: environment() });
  return done.stdout;
}

let first: Start;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  first = start("first.log");
  await untilUp(first);
}, UP_MS);

afterAll(async () => {
  await endProcessesOf(folder, 0);
});

it("shows a relayed mail's timeline, its push notification, the URLs and the demo account", () => {
  const shown = first.output();
  expect(shown).toMatch(/STARTED +PROCESSING_STARTED/);
  expect(shown).toMatch(/DELIVERED +OK +mail delivered +relay mail\.demo\.example/);
  expect(shown).toContain('"relay": "mail.demo.example"');
  expect(shown).toMatch(/DEMO broker +amqp:\/\/waypost:\w+@\S+:\d+ /);
  expect(shown).toMatch(/DEMO account +demo, password \S+, sender domain demo\.example/);
  expect(shown).toContain("DEMO mail server: took a mail from <sender@demo.example> to <ada@recipient.example>");
});

it("prints a curl line that sends the next mail", async () => {
  const line = /^ {2}curl [^]*?\/v1\/jobs$/m.exec(first.output())?.[0] ?? "";
  const done = await run("sh", ["-c", `${line} -s`]);
  expect(JSON.parse(done.stdout)).toEqual({ jobId: expect.stringMatching(/\S+/) as string });
});

it("is found by every example of the README", async () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const lines = [...readme.matchAll(/^npx waypost .*$/gm)].map(([line]) => line.replace(/ +#.*$/, ""));
  expect(lines.length).toBeGreaterThan(4);
  for (const line of lines) expect({ line, isSilent: (await waypost(line)) === "" }).toEqual({ line, isSilent: false });
});

it("does not start a second time in the same clone", async () => {
  const second = start("second.log");
  expect(await second.exit).toBe(1);
  expect(second.output()).toContain("already runs in this clone");
});

it("starts again on its data after everything was killed, and leaves no process after Ctrl-C", async () => {
  const before = await waypost("npx waypost mails --json");
  process.kill(first.child.pid ?? 0, "SIGKILL");
  await endProcessesOf(local, 0);
  const again = start("again.log");
  await eventually(() => again.output().includes("RabbitMQ: starting"), UP_MS);
  expect(await start("beside.log").exit).toBe(1);
  await untilUp(again);
  const mailIds = [...before.matchAll(/"mailId": ?"([0-9a-f]+)"/g)].map(([, id]) => id);
  const after = await waypost("npx waypost mails --json");
  expect(mailIds.filter((id) => id !== undefined && !after.includes(id))).toEqual([]);
  expect(mailIds.length).toBeGreaterThan(1);
  process.kill(again.child.pid ?? 0, "SIGINT");
  expect(await again.exit).toBe(0);
  expect(processesOf(local)).toEqual([]);
  expect(existsSync(join(home, "running.json"))).toBe(false);
});
