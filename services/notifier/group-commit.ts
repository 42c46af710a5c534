// One write at a time, taking along all that came while the last one ran; and one every `everyMs` at most, or every
// `busy.everyMs` where groups come to be large: a busy system writes few large groups, and a mail's points together.
// After a pause the first item is written at once.
import type { Clock } from "#shared/clock.ts";

export interface GroupCommit<T, R> {
  /** Resolves with the item's own result once the write that took it along is done; rejects with that write's fault. */
  add(item: T): Promise<R>;
}

export interface GroupTerms {
  /** Most items in one write. */
  max: number;
  everyMs: number;
  /** The same after a group of so many items. */
  busy?: { items: number; everyMs: number };
  clock: Pick<Clock, "nowMs" | "sleep">;
}

interface Waiting<T, R> {
  item: T;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** `write` answers results in the order of the items. */
export function createGroupCommit<T, R>(
  write: (items: readonly T[]) => Promise<readonly R[]>,
  { max, everyMs, busy, clock }: GroupTerms,
): GroupCommit<T, R> {
  const waiting: Waiting<T, R>[] = [];
  let isWriting = false;
  let begunMs = 0;
  let paceMs = everyMs;

  const writeGroup = async (group: readonly Waiting<T, R>[]): Promise<void> => {
    try {
      const results = await write(group.map(({ item }) => item));
      for (const [index, entry] of group.entries()) entry.resolve(results[index] as R);
    } catch (error) {
      for (const entry of group) entry.reject(error);
    }
  };

  const writeAll = async (): Promise<void> => {
    isWriting = true;
    // Lets everything that arrives in the same turn into the first group.
    await Promise.resolve();
    while (waiting.length > 0) {
      const earlyMs = begunMs + paceMs - clock.nowMs();
      if (earlyMs > 0 && earlyMs <= paceMs && waiting.length < max) await clock.sleep(earlyMs);
      begunMs = clock.nowMs();
      const group = waiting.splice(0, max);
      paceMs = busy !== undefined && group.length >= busy.items ? busy.everyMs : everyMs;
      await writeGroup(group);
    }
    isWriting = false;
  };

  return {
    add: (item) =>
      new Promise<R>((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        if (!isWriting) void writeAll();
      }),
  };
}
