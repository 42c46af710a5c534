// Free ports on the loopback address. Chosen below the range that the system gives to outgoing connections,
// so that a port that was free a moment ago is not taken by one of those.
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const LOWEST = 20_000;
const HIGHEST = 32_000;

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
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST}`);
}

/** The first free port from `port` on that is not in `taken`. */
export async function nextFreePort(port: number, taken: ReadonlySet<number>): Promise<number> {
  for (let candidate = port; candidate < 65_535; candidate += 1) {
    if (!taken.has(candidate) && (await isFree(candidate))) return candidate;
  }
  throw new Error(`no free port from ${port} on`);
}
