// Group commit: single writes that come while another is on its way are written together once that one has returned.
// At rest a write goes out at once; under load one goes out every few milliseconds, for small ones cost nearly as much.
import type { Clock } from "#shared/clock.ts";
import { isRetriable } from "#shared/errors.ts";

export interface GroupCommit<T> {
  /** Resolves once the item is written; rejects with what its batch met. */
  add(item: T): Promise<void>;
  /** Whoever adds waits for what is written: what waits now goes out without its pace. */
  hurry(): void;
}

export interface GroupCommitOptions<T> {
  write: (items: readonly T[]) => Promise<void>;
  /** Most items in one write. */
  max: number;
  /** Written twice is as written once: what one item breaks is written again in halves, so that it alone fails. */
  isRepeatable?: true;
  pace?: GroupPace;
}

/** From the beginning of one write to the next, unless that is full. Without: as soon as the one before has returned. */
export interface GroupPace {
  everyMs: number;
  /** The same after a write of so many items: a busy system writes few large groups. */
  busy?: { items: number; everyMs: number };
  clock: Pick<Clock, "nowMs" | "sleep">;
}

interface Waiting<T> {
  item: T;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export function createGroupCommit<T>({ write, max, isRepeatable, pace }: GroupCommitOptions<T>): GroupCommit<T> {
  let waiting: Waiting<T>[] = [];
  let isWriting = false;
  let begunMs = 0;
  let lastCount = 0;
  let isHurried = false;
  let pause: AbortController | undefined;
  const untilDue = async ({ everyMs: quietMs, busy, clock }: GroupPace): Promise<void> => {
    const everyMs = busy !== undefined && lastCount >= busy.items ? busy.everyMs : quietMs;
    const earlyMs = begunMs + everyMs - clock.nowMs();
    if (earlyMs > 0 && earlyMs <= everyMs && waiting.length < max && !isHurried) {
      pause = new AbortController();
      await clock.sleep(earlyMs, pause.signal).catch(() => undefined);
      pause = undefined;
    }
    isHurried = false;
    begunMs = clock.nowMs();
  };
  const settle = async (batch: readonly Waiting<T>[]): Promise<void> => {
    try {
      await write(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      if (isRepeatable !== true || batch.length === 1 || isRetriable(error)) {
        for (const { reject } of batch) reject(error);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      await settle(batch.slice(0, half));
      await settle(batch.slice(half));
    }
  };
  const flush = async (): Promise<void> => {
    isWriting = true;
    while (waiting.length > 0) {
      if (pace !== undefined) await untilDue(pace);
      const batch = waiting.slice(0, max);
      waiting = waiting.slice(max);
      lastCount = batch.length;
      await settle(batch);
    }
    isWriting = false;
  };
  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        if (isWriting) return;
        isWriting = true;
        setImmediate(() => void flush());
      }),
    hurry: () => {
      isHurried = waiting.length > 0;
      pause?.abort();
    },
  };
}
