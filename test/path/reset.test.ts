// What `waypost reset` removes: the directory that `npm start` keeps, and the volumes of its containers where Docker has some.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { volumeOf } from "#deploy/local/volumes.ts";
import { reset } from "../../services/control/cli/verbs/reset.ts";

let project: string;
let engine: Server;
let asked: string[];
/** What the engine answers to the removal of a volume. */
let answer: { status: number; body: string };

const volumes = () => [
  volumeOf(join(project, ".waypost/local"), "rabbitmq"),
  volumeOf(join(project, ".waypost/local"), "mongodb"),
];
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
  expect(asked.toSorted()).toEqual(
    volumes()
      .map((name) => `DELETE /volumes/${name}`)
      .toSorted(),
  );
  expect(hasData()).toBe(false);
});

it("is done where the containers kept nothing", async () => {
  answer = { status: 404, body: '{"message":"no such volume"}' };
  await run();
  expect(hasData()).toBe(false);
});

it("says which volume remains and why, and keeps the rest so that it can be tried again", async () => {
  answer = { status: 409, body: '{"message":"volume is in use - [c0ffee]"}\n' };
  const failed = await run().catch((error: unknown) => error);
  expect(String(failed)).toContain(`the volume ${volumes()[0]} is not removed: Docker answers 409`);
  expect(String(failed)).toContain("volume is in use - [c0ffee]");
  expect(hasData()).toBe(true);
});

it("removes the directory where no Docker engine answers", async () => {
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
