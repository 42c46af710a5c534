// The only place that reads the time or draws chance: everything else gets a Clock as an argument.
import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";

export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  now(): Date;
  /** A number from 0 (inclusive) to 1 (exclusive), for jitter and sampling; never for ids or secrets. */
  random(): number;
  /** A new random id, for what happens once and has no name yet (a job, a replica). */
  uuid(): string;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  now: () => new Date(),
  random: () => Math.random(),
  uuid: () => randomUUID(),
  sleep: async (ms, signal) => {
    await wait(ms, undefined, signal === undefined ? {} : { signal });
  },
};

/** A clock for how long something takes: setting the machine's clock does not move it. Its time of day may be wrong. */
export function createSteadyClock(clock: Clock): Clock {
  const sinceMs = clock.nowMs() - performance.now();
  const nowMs = (): number => sinceMs + performance.now();
  return { ...clock, nowMs, now: () => new Date(nowMs()) };
}
