import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { drain } from "./drain.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("ends what is under way within the time to drain, though a verification goes on for longer", async () => {
  const log: string[] = [];
  const under = Promise.withResolvers<void>();
  const stopped = drain({
    lanes: {
      stop: () => {
        log.push("nothing is let in");
        return under.promise;
      },
    },
    attempts: {
      abandonAll: () => {
        log.push("abandoned");
        under.resolve();
      },
    },
    others: [() => new Promise((resolve) => setTimeout(resolve, 25_000))],
    withinMs: 3_000,
  });
  await vi.advanceTimersByTimeAsync(0);
  expect(log).toEqual(["nothing is let in"]);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(log).toEqual(["nothing is let in", "abandoned"]);
  await vi.advanceTimersByTimeAsync(22_000);
  await stopped;
});
