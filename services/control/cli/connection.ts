// Finds the system that the command line speaks to: the environment first, then what `npm start` keeps in .waypost/.
import { dirname, join } from "node:path";
import { readRunning, RUNNING_FILE } from "#shared/running-system.ts";
import type { RunningSystem } from "#shared/running-system.ts";
import type { CliSettings } from "#shared/settings.ts";

/** Where control is; what else `npm start` tells, where it is that system. */
export type FoundSystem = Pick<RunningSystem, "controlUrl" | "adminToken"> & Partial<RunningSystem>;

export type Found = { ok: true; system: FoundSystem } | { ok: false; problem: string };

const fileIn = (directory: string): string => join(directory, ".waypost", RUNNING_FILE);

/** The one that runs in the nearest clone from `directory` upwards, then in the project itself. */
function nearestRunning(directory: string, project: string): RunningSystem | undefined {
  const places = [directory];
  for (let at = directory; dirname(at) !== at; at = dirname(at)) places.push(dirname(at));
  return [...places, project].map((place) => readRunning(fileIn(place))).find((running) => running !== undefined);
}

export function findSystem(settings: CliSettings, places: { directory: string; project: string }): Found {
  const nearest = nearestRunning(places.directory, places.project);
  const isAnother = settings.controlUrl !== undefined && settings.controlUrl !== nearest?.controlUrl;
  const running = isAnother ? undefined : nearest;
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

/** The system that `npm start` runs in this project now. */
export function runningSystemOf(project: string): RunningSystem | undefined {
  return readRunning(fileIn(project));
}
