// The Docker engine of this machine, on its usual sockets or on DOCKER_HOST: whether one answers, and what is asked of it directly.
import { existsSync } from "node:fs";
import { request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";

export type Engine = { socketPath: string } | { host: string; port: number };

interface Answer {
  status: number;
  text: string;
}

const PING_MS = 3_000;
const REMOVE_MS = 60_000;

function engines(): Engine[] {
  const host = process.env["DOCKER_HOST"];
  if (host?.startsWith("tcp://") === true) {
    const url = new URL(host);
    return [{ host: url.hostname, port: Number(url.port) || 2375 }];
  }
  if (host?.startsWith("unix://") === true) return [{ socketPath: host.slice("unix://".length) }];
  return [
    "/var/run/docker.sock",
    join(homedir(), ".docker/run/docker.sock"),
    join(homedir(), ".colima/default/docker.sock"),
    join(process.env["XDG_RUNTIME_DIR"] ?? "/nonexistent", "docker.sock"),
  ]
    .filter((path) => existsSync(path))
    .map((socketPath) => ({ socketPath }));
}

/** Rejects where nobody answers in time. */
function ask(engine: Engine, call: { method: "GET" | "DELETE"; path: string; timeout: number }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...engine, ...call }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => (text += piece));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.once("error", reject);
    });
    asked.once("error", reject);
    asked.once("timeout", () => asked.destroy(new Error(`no answer within ${call.timeout / 1_000} s`)));
    asked.end();
  });
}

/** The first engine that answers. */
export async function findEngine(): Promise<Engine | undefined> {
  for (const engine of engines()) {
    const answer = await ask(engine, { method: "GET", path: "/_ping", timeout: PING_MS }).catch(() => undefined);
    if (answer?.status === 200) return engine;
  }
  return undefined;
}

/** Undefined when the volume is gone, or never was; else why it is not. */
export async function removeVolume(engine: Engine, name: string): Promise<string | undefined> {
  try {
    const { status, text } = await ask(engine, { method: "DELETE", path: `/volumes/${name}`, timeout: REMOVE_MS });
    return status === 204 || status === 404 ? undefined : `Docker answers ${status} ${text.trim()}`.trimEnd();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
