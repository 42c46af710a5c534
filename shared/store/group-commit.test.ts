import { describe, expect, it } from "vitest";
import { StoreUnavailable } from "#shared/errors.ts";
import { createGroupCommit } from "./group-commit.ts";

it("writes together what comes while a write is on its way", async () => {
  const batches: number[][] = [];
  const release: (() => void)[] = [];
  const commit = createGroupCommit<number>({
    max: 3,
    write: async (items) => {
      batches.push([...items]);
      await new Promise<void>((resolve) => release.push(resolve));
    },
  });
  const first = commit.add(1);
  await new Promise((resolve) => setImmediate(resolve));
  const others = [2, 3, 4, 5].map((item) => commit.add(item));
  release.shift()?.();
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  expect(batches).toEqual([[1], [2, 3, 4]]);
  release.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  release.shift()?.();
  await Promise.all(others);
  expect(batches).toEqual([[1], [2, 3, 4], [5]]);
});

it("fails only the items of the write that failed", async () => {
  const commit = createGroupCommit<number>({
    max: 1,
    write: async ([item]) => {
      if (item === 1) throw new Error("away");
    },
  });
  const [one, two] = await Promise.allSettled([commit.add(1), commit.add(2)]);
  expect([one.status, two.status]).toEqual(["rejected", "fulfilled"]);
});

describe("one item that cannot be written", () => {
  const start = (error: Error) => {
    const writes: number[][] = [];
    const write = async (items: readonly number[]): Promise<void> => {
      writes.push([...items]);
      if (items.includes(3)) throw error;
    };
    const commit = createGroupCommit<number>({ max: 10, write, isRepeatable: true });
    return { writes, settled: () => Promise.allSettled([1, 2, 3, 4, 5].map((item) => commit.add(item))) };
  };

  it("fails alone where what comes with it can be written twice", async () => {
    const { settled } = start(new Error("too large"));
    const failed = (await settled()).map(({ status }) => status === "rejected");
    expect(failed).toEqual([false, false, true, false, false]);
  });

  it("is not looked for where it is the database that is away", async () => {
    const { settled, writes } = start(new StoreUnavailable("away"));
    expect((await settled()).every(({ status }) => status === "rejected")).toBe(true);
    expect(writes).toHaveLength(1);
  });
});

/** A clock whose sleeps end when told. */
function createStillClock() {
  let nowMs = 1_000;
  const sleeping: { untilMs: number; wake(): void }[] = [];
  return {
    nowMs: () => nowMs,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((wake) => {
        signal?.addEventListener("abort", () => wake());
        sleeping.push({ untilMs: nowMs + ms, wake });
      }),
    advance: async (ms: number) => {
      nowMs += ms;
      for (const sleeper of sleeping.filter(({ untilMs }) => untilMs <= nowMs)) sleeper.wake();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe("at a pace", () => {
  const start = (busy?: { items: number; everyMs: number }) => {
    const clock = createStillClock();
    const groups: number[][] = [];
    const write = async (items: readonly number[]): Promise<void> => void groups.push([...items]);
    const pace = { everyMs: 10, clock, ...(busy === undefined ? {} : { busy }) };
    return { clock, groups, commit: createGroupCommit<number>({ write, max: 3, pace }) };
  };

  it("gathers until the next write is due, or is full", async () => {
    const { clock, commit, groups } = start();
    await Promise.all([commit.add(1), commit.add(2)]);
    const later = [commit.add(3), commit.add(4)];
    await clock.advance(5);
    expect(groups).toEqual([[1, 2]]);
    await clock.advance(5);
    await Promise.all(later);
    await Promise.all([5, 6, 7].map((item) => commit.add(item)));
    expect(groups).toEqual([
      [1, 2],
      [3, 4],
      [5, 6, 7],
    ]);
  });

  it("writes what waits when it is told to hurry, and gathers again", async () => {
    const { clock, commit, groups } = start();
    await commit.add(1);
    const hurried = [commit.add(2), commit.add(3)];
    commit.hurry();
    await Promise.all(hurried);
    const paced = commit.add(4);
    await clock.advance(5);
    expect(groups).toEqual([[1], [2, 3]]);
    commit.hurry();
    await paced;
    commit.hurry();
    const last = commit.add(5);
    await clock.advance(9);
    expect(groups).toEqual([[1], [2, 3], [4]]);
    await clock.advance(1);
    await last;
  });

  it("gathers longer after a large write", async () => {
    const { clock, commit, groups } = start({ items: 2, everyMs: 80 });
    await Promise.all([commit.add(1), commit.add(2)]);
    const later = commit.add(3);
    await clock.advance(79);
    expect(groups).toEqual([[1, 2]]);
    await clock.advance(1);
    await later;
    const last = commit.add(4);
    await clock.advance(10);
    await last;
    expect(groups).toEqual([[1, 2], [3], [4]]);
  });
});
