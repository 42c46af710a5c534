import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createLargePlaces } from "./large-places.ts";

const never = { ...systemClock, sleep: () => new Promise<void>(() => undefined) };
const over = { ...systemClock, sleep: async () => undefined };

it("leaves half of the places to others, however slowly one owner sends", async () => {
  const places = createLargePlaces(6, 1_000, over);
  const slow = await Promise.all(Array.from({ length: 6 }, () => places.of("slow").take()));
  expect(slow.filter((release) => release !== undefined)).toHaveLength(3);
  expect(await places.of("other").take()).toBeTypeOf("function");
});

it("gives a place that comes free to the first who may have it", async () => {
  const places = createLargePlaces(2, 1_000, never);
  const [release] = [await places.of("slow").take(), await places.of("other").take()];
  const waiting = ["other", "slow", "third"].map(async (owner) => (await places.of(owner).take(), owner));
  release?.();
  release?.();
  expect(await Promise.race(waiting)).toBe("slow");
});
