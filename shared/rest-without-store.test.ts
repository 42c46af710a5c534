import { expect, it } from "vitest";
import { restWithoutStore } from "./rest-without-store.ts";

it("lets a process rest that has had no database for 15 s, until it has one again", async () => {
  let nowMs = 0;
  const rests: [atMs: number, isResting: boolean][] = [];
  await restWithoutStore({
    store: { ping: () => (nowMs >= 5_000 && nowMs < 40_000 ? Promise.reject(new Error("away")) : Promise.resolve()) },
    broker: {
      rest: (isResting) => {
        if (rests.at(-1)?.[1] !== isResting) rests.push([nowMs, isResting]);
      },
    },
    clock: { nowMs: () => nowMs, sleep: async (ms) => void (nowMs += ms) },
    isOver: () => nowMs > 60_000,
  });
  expect(rests).toEqual([
    [0, false],
    [20_000, true],
    [40_000, false],
  ]);
});
