// What a mailbox of the default route has in hand, by when it was begun. What lasts, because its servers let it wait, shall
// not keep out the others of the mailbox: where it is half of the prefetch, as many are taken again beside it.

/** Longer than a mail waits for a place: what lasts so long is being attempted. */
export const LASTING_MS = 2_000;
export const MOST_IN_HAND = 1_000;

export class Lasting {
  readonly #prefetch: number;
  readonly #begun = new Map<symbol, number>();
  #refilledMs = -Infinity;

  constructor(prefetch: number) {
    this.#prefetch = prefetch;
  }

  /** Answers what to call when it is over. */
  begin(nowMs: number): () => void {
    const id = Symbol("in hand");
    this.#begun.set(id, nowMs);
    return () => this.#begun.delete(id);
  }

  /** What was begun before the last time is counted no more. */
  isRefillDue(nowMs: number): boolean {
    const isFull = this.#begun.size + this.#prefetch > MOST_IN_HAND;
    const isDue = !isFull && this.#countLasting(nowMs) >= this.#prefetch / 2;
    if (isDue) this.#refilledMs = nowMs;
    return isDue;
  }

  #countLasting(nowMs: number): number {
    const lasts = (sinceMs: number): boolean => sinceMs > this.#refilledMs && nowMs - sinceMs >= LASTING_MS;
    return this.#begun.values().filter(lasts).toArray().length;
  }
}
