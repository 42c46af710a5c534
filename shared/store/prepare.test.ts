import { expect, it, vi } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";
import { prepareWhenThere } from "./prepare.ts";

it("makes the indexes again later, for a database that was set up anew meanwhile", async () => {
  const waits: number[] = [];
  const prepare = vi.fn<() => Promise<void>>().mockResolvedValue(undefined);
  prepare.mockRejectedValueOnce(new StoreUnavailable("away"));
  const third = Promise.withResolvers<void>();
  prepare.mockImplementationOnce(() => Promise.resolve()).mockImplementationOnce(async () => third.resolve());
  const clock = { ...systemClock, sleep: async (ms: number) => void waits.push(ms) };
  const preparation = prepareWhenThere(prepare, { clock, log: createLog("test", "silent") });
  await third.promise;
  preparation.stop();
  expect(waits.slice(0, 2)).toEqual([1_000, 600_000]);
});
