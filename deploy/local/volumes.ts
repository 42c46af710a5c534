// The named volumes in which the containers of a clone keep their data. Its directory has their names, for a Docker engine
// that does not answer tells nothing of them.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findEngine, removeVolume } from "./docker-engine.ts";

const PARTS = ["rabbitmq", "mongodb"] as const;
type Part = (typeof PARTS)[number];

/** The volume that stands for the part's folder in `directory`. */
export function volumeOf(directory: string, part: Part): string {
  return `waypost-${createHash("sha256").update(join(directory, part)).digest("hex").slice(0, 10)}-${part}`;
}

const notesOf = (directory: string): string => join(directory, "volumes");

function notedVolumes(directory: string): readonly string[] {
  const notes = notesOf(directory);
  return existsSync(notes) ? readFileSync(notes, "utf8").split("\n").filter(Boolean) : [];
}

/** The part's volume, written down before a container has it. */
export function noteVolume(directory: string, part: Part): string {
  const name = volumeOf(directory, part);
  const names = new Set([...notedVolumes(directory), name]);
  mkdirSync(directory, { recursive: true });
  writeFileSync(notesOf(directory), [...names, ""].join("\n"));
  return name;
}

const notRemoved = (name: string, problem: string): string => `the volume ${name} is not removed: ${problem}`;

/** Removes those written down and, from before any was, those that the directory would have. Answers with what remains, and why. */
export async function removeVolumes(directory: string): Promise<readonly string[]> {
  const noted = notedVolumes(directory);
  const engine = await findEngine();
  if (engine === undefined)
    return noted.map((name) => notRemoved(name, "no Docker engine answers: start Docker, then try again"));
  const names = new Set([...noted, ...PARTS.map((part) => volumeOf(directory, part))]);
  const problems = [...names].map(async (name) => {
    const problem = await removeVolume(engine, name);
    return problem === undefined ? [] : [notRemoved(name, problem)];
  });
  return (await Promise.all(problems)).flat();
}
