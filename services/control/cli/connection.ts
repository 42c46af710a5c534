// Finds the system that the command line speaks to: the environment first, then what `npm start` keeps in .waypost/.
import { lstatSync } from "node:fs";
import { dirname, join } from "node:path";
import { readRunning, readStart, RUNNING_FILE } from "#shared/running-system.ts";
import type { RunningSystem } from "#shared/running-system.ts";
import type { CliSettings } from "#shared/settings.ts";
import { SETTINGS } from "#shared/settings-table.ts";

/** Where control is; what else `npm start` tells, where it is that system. */
export type FoundSystem = Pick<RunningSystem, "controlUrl" | "adminToken"> & Partial<RunningSystem>;

export type Found = { ok: true; system: FoundSystem } | { ok: false; problem: string };

const fileIn = (directory: string): string => join(directory, ".waypost", RUNNING_FILE);

export interface Places {
  /** Where the command line is called. */
  directory: string;
  /** Whose code this is. */
  project: string;
  /** Who calls it; undefined where the machine knows no users by number. */
  user: number | undefined;
}

/** Another's file would say where the token goes, and the passwords that are typed. */
function isOwn(file: string, user: number | undefined): boolean {
  try {
    return user === undefined || lstatSync(file).uid === user;
  } catch {
    return false;
  }
}

/** The one that the caller runs in the nearest clone from `directory` upwards, then whoever's runs in the project itself. */
function nearestRunning({ directory, project, user }: Places): RunningSystem | undefined {
  const places = [directory];
  for (let at = directory; dirname(at) !== at; at = dirname(at)) places.push(dirname(at));
  return [...places, project]
    .filter((place) => place === project || isOwn(fileIn(place), user))
    .map((place) => readRunning(fileIn(place)))
    .find((running) => running !== undefined);
}

function mistakeOf({ controlUrl, adminToken }: FoundSystem): string | undefined {
  const isHttp = URL.canParse(controlUrl) && ["http:", "https:"].includes(new URL(controlUrl).protocol);
  if (!isHttp) return `WAYPOST_CONTROL_URL is ${JSON.stringify(controlUrl)}: it should be like http://127.0.0.1:8081`;
  const token = SETTINGS.WAYPOST_ADMIN_TOKEN.schema.safeParse(adminToken);
  if (token.success) return undefined;
  return `WAYPOST_ADMIN_TOKEN is not valid: it should be ${token.error.issues.map(({ message }) => message).join("; ")}`;
}

export function findSystem(settings: CliSettings, places: Places): Found {
  const nearest = nearestRunning(places);
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
  const system = { ...running, controlUrl, adminToken };
  const mistake = mistakeOf(system);
  return mistake === undefined ? { ok: true, system } : { ok: false, problem: mistake };
}

/** The process id of the `npm start` of this project, from its first moment on. */
export function startOf(project: string): number | undefined {
  return readStart(fileIn(project));
}
