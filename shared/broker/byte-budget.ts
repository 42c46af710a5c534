// How many bytes of messages a process holds, over all its mailboxes (design, Rules 7).
export const MOST_BYTES_HELD = 64 * 1024 * 1024;

/** Taking starts again when this part of the budget is used. */
const RELIEF = 0.75;

export class ByteBudget {
  readonly #limit: number;
  #held = 0;
  readonly #throttled = new Set<() => void>();

  constructor(limit: number = MOST_BYTES_HELD) {
    this.#limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  get isOver(): boolean {
    return this.#held > this.#limit;
  }

  add(bytes: number): void {
    this.#held += bytes;
  }

  remove(bytes: number): void {
    this.#held -= bytes;
    if (this.#throttled.size === 0 || this.#held > this.#limit * RELIEF) return;
    const relieved = [...this.#throttled];
    this.#throttled.clear();
    for (const onRelief of relieved) onRelief();
  }

  /** Calls once, when there is room again. */
  whenRelieved(onRelief: () => void): void {
    this.#throttled.add(onRelief);
  }

  forget(onRelief: () => void): void {
    this.#throttled.delete(onRelief);
  }
}
