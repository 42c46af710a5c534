// What `waypost reset` removes: the directory that `npm start` keeps, and the volumes of its containers where Docker has some.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Refusal } from "../client.ts";
import { reset } from "./reset.ts";

let project: string;
let engine: Server;
let asked: string[];
/** What the engine answers to the removal of a volume. */
let answer: { status: number; body: string };

/** As a start in containers leaves it. */
const writeDown = (...names: readonly string[]) =>
  writeFileSync(join(project, ".waypost/local/volumes"), names.map((name) => `${name}\n`).join(""));
const hasData = () => existsSync(join(project, ".waypost"));

async function run(typed?: string[]): Promise<string> {
  let said = "";
  const terminal = { input: Readable.from(typed ?? []), output: new PassThrough() };
  const output = { write: (text: string) => void (said += text), isJson: false };
  await reset({ project, isSure: typed === undefined, terminal, output });
  return said;
}

beforeEach(async () => {
  project = mkdtempSync(join(tmpdir(), "waypost-reset-"));
  mkdirSync(join(project, ".waypost/local/log"), { recursive: true });
  asked = [];
  answer = { status: 204, body: "" };
  engine = createServer((request, response) => {
    const isPing = request.url === "/_ping";
    if (!isPing) asked.push(`${request.method} ${request.url}`);
    response.writeHead(isPing ? 200 : answer.status).end(isPing ? "OK" : answer.body);
  });
  await new Promise<void>((resolve) => engine.listen(join(project, "docker.sock"), resolve));
  vi.stubEnv("DOCKER_HOST", `unix://${project}/docker.sock`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  engine.close();
  rmSync(project, { recursive: true });
});

it("removes the volumes of the clone's containers with its directory", async () => {
  expect(await run()).toBe(`${project}/.waypost is removed`);
  expect(asked).toEqual([
    expect.stringMatching(/^DELETE \/volumes\/waypost-[0-9a-f]{10}-rabbitmq$/),
    expect.stringMatching(/^DELETE \/volumes\/waypost-[0-9a-f]{10}-mongodb$/),
  ]);
  expect(hasData()).toBe(false);
});

it("removes the volumes that were made where the clone stood before", async () => {
  writeDown("waypost-f2555c0248-rabbitmq", "waypost-e86e4aeaba-mongodb");
  await run();
  expect(asked).toContain("DELETE /volumes/waypost-f2555c0248-rabbitmq");
  expect(asked).toContain("DELETE /volumes/waypost-e86e4aeaba-mongodb");
});

it("is done where the containers kept nothing", async () => {
  answer = { status: 404, body: '{"message":"no such volume"}' };
  await run();
  expect(hasData()).toBe(false);
});

it("says which volume remains and why, and keeps the rest so that it can be tried again", async () => {
  answer = { status: 409, body: '{"message":"volume is in use - [c0ffee]"}\n' };
  const failed = await run().catch((error: unknown) => error);
  expect(String(failed)).toMatch(/the volume waypost-[0-9a-f]{10}-rabbitmq is not removed: Docker answers 409/);
  expect(String(failed)).toContain("volume is in use - [c0ffee]");
  expect(hasData()).toBe(true);
});

it("removes nothing while no Docker engine answers that has volumes, and names them", async () => {
  writeDown("waypost-f2555c0248-rabbitmq");
  vi.stubEnv("DOCKER_HOST", `unix://${project}/nobody.sock`);
  const failed = await run().catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(Refusal);
  expect(String(failed)).toContain("the volume waypost-f2555c0248-rabbitmq is not removed: no Docker engine answers");
  expect(String(failed)).toContain("start Docker, then try again");
  expect(hasData()).toBe(true);
});

it("removes the directory where no Docker engine answers and none was used", async () => {
  vi.stubEnv("DOCKER_HOST", `unix://${project}/nobody.sock`);
  await run();
  expect(asked).toEqual([]);
  expect(hasData()).toBe(false);
});

it.each([[["n\n"]], [[]]])("removes nothing when %j is all that its input says", async (typed) => {
  await expect(run(typed)).rejects.toThrow("nothing was removed");
  expect(asked).toEqual([]);
  expect(hasData()).toBe(true);
});
