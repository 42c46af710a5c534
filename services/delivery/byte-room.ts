// So many bytes for all: half of them for whoever comes, of the others a part for one owner, so that owners who keep them leave
// room for others. Who finds no room waits for his patience; first come, first served, but nobody waits for one at his own bound.

export interface RoomLimits {
  total: number;
  /** Of one owner once half of all is taken; one thing he may have even so. */
  each: number;
}

interface Waiter {
  owner: object;
  bytes: number;
  resolve: (hasRoom: boolean) => void;
  timer: NodeJS.Timeout | undefined;
}

export class ByteRoom {
  readonly #limits: RoomLimits;
  readonly #taken = new Map<object, number>();
  #all = 0;
  #waiting: Waiter[] = [];

  constructor(limits: RoomLimits) {
    this.#limits = limits;
  }

  /** False where there was no room for so long. */
  enter(owner: object, bytes: number, patienceMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter: Waiter = { owner, bytes, resolve, timer: undefined };
    this.#waiting.push(waiter);
    waiter.timer = setTimeout(() => this.#settle(waiter, false), patienceMs);
    this.#admit();
    return promise;
  }

  leave(owner: object, bytes: number): void {
    this.#take(owner, -bytes);
    this.#admit();
  }

  /** They are in the hands of another owner now. */
  charge(owner: object, { insteadOf, bytes }: { insteadOf: object; bytes: number }): void {
    this.#take(insteadOf, -bytes);
    this.#take(owner, bytes);
    this.#admit();
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      const { owner, bytes } = waiter;
      const own = this.#taken.get(owner) ?? 0;
      const all = this.#all + bytes;
      if (own > 0 && own + bytes > this.#limits.each && all > this.#limits.total / 2) continue;
      if (this.#all > 0 && all > this.#limits.total) return;
      this.#take(owner, bytes);
      this.#settle(waiter, true);
    }
  }

  #settle(waiter: Waiter, hasRoom: boolean): void {
    clearTimeout(waiter.timer);
    this.#waiting = this.#waiting.filter((other) => other !== waiter);
    waiter.resolve(hasRoom);
    if (!hasRoom) this.#admit();
  }

  #take(owner: object, bytes: number): void {
    const own = (this.#taken.get(owner) ?? 0) + bytes;
    if (own === 0) this.#taken.delete(owner);
    else this.#taken.set(owner, own);
    this.#all += bytes;
  }
}
