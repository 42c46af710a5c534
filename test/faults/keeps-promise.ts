// Plays faults one after the other on one ground: a test each, and a table of all at the end.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LoadPlan } from "./customer.ts";
import type { Ground, GroundOptions } from "./ground.ts";
import { startGround } from "./ground.ts";
import type { Fault, Outcome } from "./scenario.ts";
import { play, tableOf } from "./scenario.ts";

const FAULT_MS = 280_000;
const START_MS = 300_000;
const LOAD = { jobs: 200, perSecond: 60 };

export function keepsPromise(options: GroundOptions & { load?: LoadPlan }, faults: readonly Fault[]): void {
  let ground: Ground;
  const outcomes: Outcome[] = [];

  beforeAll(async () => {
    ground = await startGround(options);
  }, START_MS);
  afterAll(async () => {
    process.stdout.write(`\n${tableOf(outcomes)}\n`);
    await ground.stop();
  }, START_MS);

  it.each([...faults])(
    "is kept: $name",
    async (fault) => {
      const outcome = await play(ground, fault, options.load ?? LOAD);
      outcomes.push(outcome);
      expect(outcome.broken).toEqual([]);
    },
    FAULT_MS,
  );
}
