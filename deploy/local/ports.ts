// Free ports on the loopback address. Chosen below the range that the system gives to outgoing connections,
// so that a port that was free a moment ago is not taken by one of those. A port that was given to somebody is not given to
// another before that one has had time to listen: tests start dozens of processes at once.
import { randomInt } from "node:crypto";
import { mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const LOWEST = 20_000;
const HIGHEST = 32_000;
const GIVEN_MS = 60_000;

/** Marks the port as given, over all processes of the machine; false where it is. Without a place for marks every port is free. */
export function give(port: number): boolean {
  const directory = join(tmpdir(), "waypost-ports");
  const mark = join(directory, String(port));
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(mark, "", { flag: "wx" });
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) return true;
  }
  try {
    const now = Date.now();
    if (now - statSync(mark).mtimeMs < GIVEN_MS) return false;
    utimesSync(mark, now / 1_000, now / 1_000);
  } catch {
    // Another user's mark, which is old and may not be touched.
  }
  return true;
}

export function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if ((await isFree(port)) && give(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST}`);
}

/** The first free port from `port` on that is not in `taken`. */
export async function nextFreePort(port: number, taken: ReadonlySet<number>, host?: string): Promise<number> {
  for (let candidate = port; candidate < 65_535; candidate += 1) {
    if (!taken.has(candidate) && (await isFree(candidate, host))) return candidate;
  }
  throw new Error(`no free port from ${port} on`);
}
