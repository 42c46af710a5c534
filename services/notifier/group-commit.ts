// One write at a time, taking along all that came while the last one ran: cheap under load, immediate when idle.

export interface GroupCommit<T, R> {
  /** Resolves with the item's own result once the write that took it along is done; rejects with that write's fault. */
  add(item: T): Promise<R>;
}

interface Waiting<T, R> {
  item: T;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** `write` answers results in the order of the items, of which it gets at most `max`. */
export function createGroupCommit<T, R>(
  write: (items: readonly T[]) => Promise<readonly R[]>,
  max: number,
): GroupCommit<T, R> {
  const waiting: Waiting<T, R>[] = [];
  let isWriting = false;

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
    while (waiting.length > 0) await writeGroup(waiting.splice(0, max));
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
