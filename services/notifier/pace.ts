// How long the batches that were parked for an endpoint will take it: counted in windows, so that what circles through the
// wait tiers is not counted for ever.

const WINDOW_MS = 5_000;

export interface Pace {
  notePosted(nowMs: number): void;
  /** Counts one more that is parked; answers how long all of this window's will take, 0 where that is not known. */
  notePark(nowMs: number): number;
}

interface Window {
  startMs: number;
  posted: number;
  parked: number;
}

export function createPace(): Pace {
  let before: Window = { startMs: 0, posted: 0, parked: 0 };
  let current = before;

  const roll = (nowMs: number): void => {
    if (nowMs - current.startMs < WINDOW_MS) return;
    before = current;
    current = { startMs: nowMs, posted: 0, parked: 0 };
  };

  return {
    notePosted: (nowMs) => {
      roll(nowMs);
      current.posted += 1;
    },
    notePark: (nowMs) => {
      roll(nowMs);
      current.parked += 1;
      const posted = Math.max(before.posted, current.posted);
      return posted === 0 ? 0 : (current.parked / posted) * WINDOW_MS;
    },
  };
}
