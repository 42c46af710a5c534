// Work that goes one after the other, in the order in which it was asked for, whatever becomes of what went before.

export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/** Each answer is the work's own, its error too. */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
