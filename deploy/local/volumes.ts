// The named volumes in which the containers of a clone keep their data.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { findEngine, removeVolume } from "./docker-engine.ts";

const PARTS = ["rabbitmq", "mongodb"] as const;

/** The volume that stands for the part's folder in `directory`. */
export function volumeOf(directory: string, part: (typeof PARTS)[number]): string {
  return `waypost-${createHash("sha256").update(join(directory, part)).digest("hex").slice(0, 10)}-${part}`;
}

/** Removes both; there are none where no Docker engine answers. Answers with what could not be removed, and why. */
export async function removeVolumes(directory: string): Promise<readonly string[]> {
  const engine = await findEngine();
  if (engine === undefined) return [];
  const problems = PARTS.map(async (part) => {
    const name = volumeOf(directory, part);
    const problem = await removeVolume(engine, name);
    return problem === undefined ? [] : [`the volume ${name} is not removed: ${problem}`];
  });
  return (await Promise.all(problems)).flat();
}
