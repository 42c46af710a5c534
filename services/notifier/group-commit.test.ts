import { describe, expect, it } from "vitest";
import { createGroupCommit } from "./group-commit.ts";

/** A clock whose sleeps end when told. */
function createStillClock() {
  let nowMs = 1_000;
  const sleeping: { untilMs: number; wake(): void }[] = [];
  return {
    nowMs: () => nowMs,
    sleep: (ms: number) => new Promise<void>((wake) => sleeping.push({ untilMs: nowMs + ms, wake })),
    advance: async (ms: number) => {
      nowMs += ms;
      for (const sleeper of sleeping.filter(({ untilMs }) => untilMs <= nowMs)) sleeper.wake();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe("a group commit", () => {
  const start = (fail = false) => {
    const clock = createStillClock();
    const groups: number[][] = [];
    const write = async (items: readonly number[]): Promise<number[]> => {
      groups.push([...items]);
      if (fail) throw new Error("no primary");
      return items.map((item) => item * 2);
    };
    return { clock, groups, commit: createGroupCommit(write, { max: 3, everyMs: 10, clock }) };
  };

  it("writes at once after a pause, with all that came in the same turn", async () => {
    const { commit, groups } = start();
    expect(await Promise.all([commit.add(1), commit.add(2)])).toEqual([2, 4]);
    expect(groups).toEqual([[1, 2]]);
  });

  it("gathers until the next write is due, or is full", async () => {
    const { clock, commit, groups } = start();
    await commit.add(1);
    const later = [commit.add(2), commit.add(3)];
    await clock.advance(5);
    expect(groups).toEqual([[1]]);
    await clock.advance(5);
    await Promise.all(later);
    await Promise.all([4, 5, 6, 7].map((item) => commit.add(item)).slice(0, 3));
    expect(groups).toEqual([[1], [2, 3], [4, 5, 6]]);
  });

  it("tells everybody whose write failed", async () => {
    const { commit } = start(true);
    const results = await Promise.allSettled([commit.add(1), commit.add(2)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});
