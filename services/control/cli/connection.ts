// Finds the system that the command line speaks to: the environment first, then what `npm start` keeps in .waypost/.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { CliSettings } from "#shared/settings.ts";

/** What `npm start` writes for others to find it by (deploy/local). */
export const RUNNING_FILE = ".waypost/running.json";

export const runningSchema = z.object({
  controlUrl: z.url(),
  adminToken: z.string(),
  ingestUrl: z.url().optional(),
  account: z.string().optional(),
  password: z.string().optional(),
});
export type RunningSystem = z.infer<typeof runningSchema>;

export type Found = { ok: true; system: RunningSystem } | { ok: false; problem: string };

/** The nearest .waypost/running.json from `directory` upwards, then that of the project itself. */
function readRunning(directory: string, project: string): RunningSystem | undefined {
  const above = [directory];
  for (let at = directory; dirname(at) !== at; at = dirname(at)) above.push(dirname(at));
  const file = [...above, project].map((place) => join(place, RUNNING_FILE)).find((path) => existsSync(path));
  if (file === undefined) return undefined;
  try {
    return runningSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

export function findSystem(settings: CliSettings, places: { directory: string; project: string }): Found {
  const running = readRunning(places.directory, places.project);
  const controlUrl = settings.controlUrl ?? running?.controlUrl;
  const adminToken = settings.adminToken ?? running?.adminToken;
  if (controlUrl === undefined || adminToken === undefined) {
    return {
      ok: false,
      problem:
        "no running system found: start one with `npm start`, or set WAYPOST_CONTROL_URL (e.g. http://127.0.0.1:8081) and WAYPOST_ADMIN_TOKEN",
    };
  }
  return { ok: true, system: { ...running, controlUrl, adminToken } };
}

/** The system that `npm start` runs in this project, while its process lives. */
export function runningSystemOf(project: string): RunningSystem | undefined {
  return existsSync(join(project, RUNNING_FILE)) ? readRunning(project, project) : undefined;
}
