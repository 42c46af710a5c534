// Plays faults one after the other on one ground: a test each, and a row each in the run's table.
import { afterAll, beforeAll, expect, it } from "vitest";
import { testBacking } from "#test/support/backing.ts";
import { noteSeen } from "./chronicle.ts";
import type { LoadPlan } from "./customer.ts";
import type { Ground, GroundOptions } from "./ground.ts";
import { startGround } from "./ground.ts";
import type { Fault } from "./scenario.ts";
import { COLUMNS, play, rowOf } from "./scenario.ts";

const FAULT_MS = 280_000;
const START_MS = 300_000;
const LOAD = { jobs: 200, perSecond: 60 };

export interface PromiseOptions extends GroundOptions {
  /** What the table says above these faults. */
  title: string;
  load?: LoadPlan;
}

export function keepsPromise(options: PromiseOptions, faults: readonly Fault[]): void {
  let ground: Ground;
  const load = options.load ?? LOAD;
  const title = `${options.title}, ${load.jobs} jobs each`;
  const note = (row: readonly (string | number)[]): void => {
    noteSeen(testBacking().directory, { title, head: COLUMNS, row });
  };

  beforeAll(async () => {
    ground = await startGround(options);
  }, START_MS);
  afterAll(async () => {
    await ground.stop();
  }, START_MS);

  // By their whole names, which `it.each` would shorten: `-t` finds them.
  for (const fault of faults) {
    it(
      `is kept: ${fault.name}`,
      async () => {
        const outcome = await play(ground, fault, load).catch((error: unknown) => {
          const [reason = ""] = String(error).split("\n");
          note([fault.name, "", "", "", "", `broken: ${reason}`]);
          throw error;
        });
        note(rowOf(outcome));
        expect(outcome.broken).toEqual([]);
      },
      FAULT_MS,
    );
  }
}
