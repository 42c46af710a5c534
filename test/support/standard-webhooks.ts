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

/** A language that the machine lacks: installed on Debian or Ubuntu as root, otherwise one line that says what is needed. */
async function need(command: readonly [string, ...string[]], packages: readonly string[]): Promise<void> {
  const [program, ...args] = command;
  const isThere = await run(program, args).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const wanted = `${command.join(" ")} does not run, and this test judges by it`;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    throw new Error(`${wanted}: install ${packages.join(" and ")}, or run as root on Debian or Ubuntu`);
  await apt(["update", "-q"]);
  const problem = await apt(["install", "-y", "-q", "--no-install-recommends", ...packages]);
  if (problem !== undefined) throw new Error(`${wanted}: apt-get install ${packages.join(" ")} failed: ${problem}`);
}

export async function pythonJudge(): Promise<Judge> {
  await need(["python3", "-m", "pip", "--version"], ["python3", "python3-pip"]);
  const directory = join(CACHE, `python-${PYTHON_VERSION}`);
  if (!existsSync(join(directory, "standardwebhooks"))) {
    mkdirSync(directory, { recursive: true });
    const wanted = `standardwebhooks==${PYTHON_VERSION}`;
    await run("python3", ["-m", "pip", "install", "--quiet", "--no-deps", "--target", directory, wanted], {
      timeout: INSTALL_MS,
    });
  }
  return (post) => ask(["python3", "-c", PYTHON], post, { PYTHONPATH: directory });
}

export async function goJudge(): Promise<Judge> {
  const directory = join(CACHE, `go-${GO_VERSION}`);
  const program = join(directory, "judge");
  if (!existsSync(program)) {
    await need(["go", "version"], ["golang-go", "ca-certificates"]);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "go.mod"), "module judge\n\ngo 1.18\n");
    writeFileSync(join(directory, "main.go"), GO);
    const wanted = `github.com/standard-webhooks/standard-webhooks/libraries@${GO_VERSION}`;
    await run("go", ["get", wanted], { cwd: directory, timeout: INSTALL_MS });
    await run("go", ["build", "-o", program, "."], { cwd: directory, timeout: INSTALL_MS });
  }
  return (post) => ask([program], post);
}
