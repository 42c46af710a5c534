import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import type { AttemptRequest, MakerPorts } from "./make-attempt.ts";
import { createAttemptMaker } from "./make-attempt.ts";

it("begins no attempt once the time to drain is over, for a mail that then gets its place", async () => {
  const maker = createAttemptMaker({ clock: systemClock, steady: systemClock } as MakerPorts);
  maker.abandonAll();
  expect(await maker.make({} as AttemptRequest)).toEqual({ kind: "abandoned" });
});
