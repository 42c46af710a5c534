// Pauses a mailbox while a backing service is away: what is in hand waits here, one at a time tries again, and the first
// that succeeds lets all others go on. No delivery is given back for it, so no delivery count is spent (design, Rules 5), unless it
// lasts: then the mailbox rests, and what is in hand goes to who can handle it.
import type { Clock } from "#shared/clock.ts";

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 3_000;

export class FaultGate {
  readonly #clock: Clock;
  readonly #closing: AbortSignal;
  readonly #waiting: (() => void)[] = [];
  #failures = 0;
  #isTicking = false;
  #isResting = false;

  constructor(clock: Clock, closing: AbortSignal) {
    this.#clock = clock;
    this.#closing = closing;
    closing.addEventListener("abort", () => this.#releaseAll());
  }

  /** While true nothing new is begun. */
  get isShut(): boolean {
    return this.#failures > 0;
  }

  /** While true nothing is taken, and what waits here goes back to its queue: another replica may have what this one lacks. */
  get isResting(): boolean {
    return this.#isResting;
  }

  rest(isResting: boolean): void {
    this.#isResting = isResting;
    if (isResting) this.#releaseAll();
    else this.open();
  }

  /** Resolves when it is this caller's turn to try again, or to give up. */
  wait(): Promise<void> {
    if (this.#closing.aborted || this.#isResting) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    if (this.#failures === 0) this.#failures = 1;
    if (!this.#isTicking) void this.#tick();
    return promise;
  }

  /** A handler came to an end, or the deliveries in hand are lost: new ones may be begun. */
  open(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#releaseAll();
  }

  async #tick(): Promise<void> {
    this.#isTicking = true;
    while (this.#waiting.length > 0 && !this.#closing.aborted) {
      const waitMs = Math.min(FIRST_WAIT_MS * 2 ** Math.max(0, this.#failures - 1), LONGEST_WAIT_MS);
      await this.#clock.sleep(waitMs * (0.75 + this.#clock.random() / 4), this.#closing).catch(() => undefined);
      if (this.#failures > 0) this.#failures += 1;
      this.#waiting.shift()?.();
    }
    this.#isTicking = false;
  }

  #releaseAll(): void {
    for (const release of this.#waiting.splice(0)) release();
  }
}
