// How the command line finds the system of `npm start`: only while that runs, whatever a killed one left behind.
import type { ChildProcess } from "node:child_process";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ROOT } from "#test/support/service-process.ts";
import { findSystem, startOf } from "../../services/control/cli/connection.ts";

const facts = {
  controlUrl: "http://127.0.0.1:8081",
  adminToken: "token",
  ingestUrl: "http://127.0.0.1:8080",
  account: "demo",
  password: "secret",
  ports: { http: 8080, smtp: 2525, health: { ingest: 9464 } },
};
const NO_SETTINGS = { controlUrl: undefined, adminToken: undefined };

let clone: string;
let start: ChildProcess;

const tell = (pid: number | undefined, more: object = {}): void =>
  writeFileSync(join(clone, ".waypost/running.json"), JSON.stringify({ pid, ...facts, ...more }));
const user = process.getuid?.() ?? 0;
const find = (settings: Parameters<typeof findSystem>[0], places: Partial<Parameters<typeof findSystem>[1]> = {}) =>
  findSystem(settings, { directory: join(clone, "below"), project: clone, user, ...places });

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), "waypost-running-"));
  mkdirSync(join(clone, ".waypost"));
  writeFileSync(join(clone, "start.ts"), "setInterval(() => undefined, 1_000);\n");
  start = spawn(process.execPath, [join(clone, "start.ts")], { stdio: "ignore" });
});
afterAll(() => {
  start.kill("SIGKILL");
  rmSync(clone, { recursive: true });
});

it("is what a living `npm start` told", () => {
  tell(start.pid);
  expect(startOf(clone)).toBe(start.pid);
  expect(find(NO_SETTINGS)).toEqual({ ok: true, system: { pid: start.pid, ...facts } });
});

it("is not what another user told in a directory above: the token would be theirs", () => {
  tell(start.pid);
  const elsewhere = { project: tmpdir() };
  expect(find(NO_SETTINGS, elsewhere)).toMatchObject({ ok: true });
  expect(find({ controlUrl: undefined, adminToken: "mine" }, { ...elsewhere, user: user + 1 })).toMatchObject({
    ok: false,
  });
});

it("is what whoever runs the project told there", () => {
  tell(start.pid);
  expect(find(NO_SETTINGS, { user: user + 1 })).toMatchObject({ ok: true });
});

it("is where WAYPOST_BIND says, on this machine", () => {
  const bound = { controlUrl: "http://127.0.0.5:8081", ingestUrl: "http://127.0.0.5:8080" };
  tell(start.pid, bound);
  expect(find(NO_SETTINGS)).toMatchObject({ ok: true, system: bound });
});

it.each([
  { controlUrl: "http://stranger.example:8081" },
  { controlUrl: "http://192.0.2.1:8081" },
  { ingestUrl: "https://127.0.0.1.stranger.example" },
])("is on this machine: none at %j", (more) => {
  tell(start.pid, more);
  expect(find({ controlUrl: undefined, adminToken: "mine" })).toMatchObject({ ok: false });
});

it.each([
  [
    { controlUrl: "localhost:8081", adminToken: "mine" },
    /^WAYPOST_CONTROL_URL is "localhost:8081": it should be like http/,
  ],
  [{ controlUrl: "http://localhost:8081", adminToken: "mine\n" }, /^WAYPOST_ADMIN_TOKEN is not valid: it should be/],
])("says what is wrong with the environment: %j", (settings, problem) => {
  expect(find(settings)).toEqual({ ok: false, problem: expect.stringMatching(problem) as string });
});

it("is none while `npm start` is bringing it up, and yet holds up a second start and a reset", () => {
  writeFileSync(join(clone, ".waypost/running.json"), JSON.stringify({ pid: start.pid }));
  expect(startOf(clone)).toBe(start.pid);
  expect(find(NO_SETTINGS)).toMatchObject({ ok: false });
});

it("is no other where a killed `npm start` had our own number, as each has in a container", () => {
  const home = join(clone, ".waypost");
  const script = `
    import { writeFileSync } from "node:fs";
    writeFileSync(${JSON.stringify(join(home, "running.json"))}, JSON.stringify({ pid: process.pid }));
    const { otherStart } = await import(${JSON.stringify(join(ROOT, "deploy/local/instance.ts"))});
    process.stdout.write(String(otherStart()));`;
  const options = { encoding: "utf8", env: { ...process.env, WAYPOST_TEST_HOME: home } } as const;
  const other = execFileSync(process.execPath, ["--input-type=module", "--eval", script, "start.ts"], options);
  expect(other).toBe("undefined");
});

it("is none where another process has the number of a killed one", () => {
  tell(process.pid);
  expect(startOf(clone)).toBeUndefined();
  expect(find(NO_SETTINGS)).toMatchObject({ ok: false });
});

it("lends nothing to the system that the environment names", () => {
  tell(start.pid);
  expect(find({ controlUrl: "http://other.example:8081", adminToken: undefined })).toMatchObject({ ok: false });
  const named = { controlUrl: "http://other.example:8081", adminToken: "theirs" };
  expect(find(named)).toEqual({ ok: true, system: named });
});

it("is none once `npm start` was killed", async () => {
  tell(start.pid);
  const ended = new Promise((resolve) => start.once("exit", resolve));
  start.kill("SIGKILL");
  await ended;
  expect(startOf(clone)).toBeUndefined();
});
