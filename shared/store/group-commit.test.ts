import { expect, it } from "vitest";
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
