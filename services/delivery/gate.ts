// Lets so many attempts through at once: interactive mails first, one in ten for bulk so that it is never starved.
// Who waits when the destination is suspended, or for longer than it has patience, is sent back.

export type Admission = "go" | "put-back";
export type Urgency = "interactive" | "bulk";

const BULK_SHARE = 10;

interface Waiter {
  resolve: (admission: Admission) => void;
  timer: NodeJS.Timeout | undefined;
}

function tell({ resolve, timer }: Waiter, admission: Admission): void {
  clearTimeout(timer);
  resolve(admission);
}

export class Gate {
  readonly #capacity: () => number;
  readonly #waiting: Record<Urgency, Waiter[]> = { interactive: [], bulk: [] };
  #granted = 0;
  inFlight = 0;

  constructor(capacity: () => number) {
    this.#capacity = capacity;
  }

  get waiting(): number {
    return this.#waiting.interactive.length + this.#waiting.bulk.length;
  }

  /** Without `patienceMs` it waits for as long as it takes. */
  enter(urgency: Urgency, patienceMs?: number): Promise<Admission> {
    if (this.waiting === 0 && this.inFlight < this.#capacity()) {
      this.inFlight += 1;
      return Promise.resolve("go");
    }
    return new Promise((resolve) => {
      const waiter: Waiter = { resolve, timer: undefined };
      this.#waiting[urgency].push(waiter);
      if (patienceMs !== undefined) waiter.timer = setTimeout(() => this.#giveUp(urgency, waiter), patienceMs);
    });
  }

  leave(): void {
    this.inFlight -= 1;
    this.admit();
  }

  /** Lets in who may now: after a leave, or when the capacity has grown. */
  admit(): void {
    while (this.waiting > 0 && this.inFlight < this.#capacity()) {
      this.inFlight += 1;
      const waiter = this.#next();
      if (waiter !== undefined) tell(waiter, "go");
    }
  }

  sendBack(): void {
    for (const urgency of ["interactive", "bulk"] as const) {
      for (const waiter of this.#waiting[urgency].splice(0)) tell(waiter, "put-back");
    }
  }

  #giveUp(urgency: Urgency, waiter: Waiter): void {
    const waiting = this.#waiting[urgency];
    const at = waiting.indexOf(waiter);
    if (at === -1) return;
    waiting.splice(at, 1);
    tell(waiter, "put-back");
  }

  #next(): Waiter | undefined {
    this.#granted += 1;
    const { interactive, bulk } = this.#waiting;
    const first = this.#granted % BULK_SHARE === 0 ? bulk : interactive;
    return first.shift() ?? interactive.shift() ?? bulk.shift();
  }
}
