// The system that `npm start` runs in a clone, as it tells the command line of it in .waypost/running.json: first its process
// alone, and the rest once all is up.
import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { z } from "zod";
import { hostInUrl } from "#shared/network/host-in-url.ts";

export const RUNNING_FILE = "running.json";

/** An address as a URL has it: the only spelling of it that is left there. */
function isOfThisMachine(host: string): boolean {
  if (isIP(host) === 4 && host.startsWith("127.")) return true;
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return addresses.some(({ address }) => host === hostInUrl(address));
}

/** What `npm start` runs is on this machine: a file that came with something downloaded leads nowhere else. */
const localUrl = z.url({ protocol: /^http$/ }).refine((url) => isOfThisMachine(new URL(url).hostname));

const startSchema = z.object({ pid: z.int().positive() });
const runningSchema = startSchema.extend({
  controlUrl: localUrl,
  adminToken: z.string(),
  ingestUrl: localUrl,
  account: z.string(),
  password: z.string(),
  /** What the services listen on, beside control's. */
  ports: z.object({ http: z.int(), smtp: z.int(), health: z.record(z.string(), z.int()) }),
});
export type RunningSystem = z.infer<typeof runningSchema>;

/** What the file says, while the process that wrote it lives: a killed one leaves its file behind. */
export function readRunning(file: string): RunningSystem | undefined {
  return read(file, runningSchema);
}

/** The `npm start` that wrote the file and lives, also while it is bringing things up. */
export function readStart(file: string): number | undefined {
  return read(file, startSchema)?.pid;
}

function read<T extends { pid: number }>(file: string, schema: z.ZodType<T>): T | undefined {
  try {
    const found = schema.parse(JSON.parse(readFileSync(file, "utf8")));
    return isStart(found.pid) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process lives and is an `npm start`: after a crash its number may be another's. */
function isStart(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const command = `/proc/${pid}/cmdline`;
  return !existsSync(command) || readFileSync(command, "utf8").includes("start.ts");
}
