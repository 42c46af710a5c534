// How the command line finds the system of `npm start`: only while that runs, whatever a killed one left behind.
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findSystem, runningSystemOf } from "../../services/control/cli/connection.ts";

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

const tell = (pid: number | undefined): void =>
  writeFileSync(join(clone, ".waypost/running.json"), JSON.stringify({ pid, ...facts }));
const find = (settings: Parameters<typeof findSystem>[0]) =>
  findSystem(settings, { directory: join(clone, "below"), project: clone });

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
  expect(runningSystemOf(clone)).toEqual({ pid: start.pid, ...facts });
  expect(find(NO_SETTINGS)).toEqual({ ok: true, system: { pid: start.pid, ...facts } });
});

it("is none where another process has the number of a killed one", () => {
  tell(process.pid);
  expect(runningSystemOf(clone)).toBeUndefined();
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
  expect(runningSystemOf(clone)).toBeUndefined();
});
