// Lets so many attempts through at once: interactive mails first, one in ten for bulk so that it is never starved.
// Who waits when the destination is suspended is sent back.

export type Admission = "go" | "put-back";
export type Urgency = "interactive" | "bulk";

const BULK_SHARE = 10;

export class Gate {
  readonly #capacity: () => number;
  readonly #waiting: Record<Urgency, ((admission: Admission) => void)[]> = { interactive: [], bulk: [] };
  #granted = 0;
  inFlight = 0;

  constructor(capacity: () => number) {
    this.#capacity = capacity;
  }

  get waiting(): number {
    return this.#waiting.interactive.length + this.#waiting.bulk.length;
  }

  enter(urgency: Urgency): Promise<Admission> {
    if (this.waiting === 0 && this.inFlight < this.#capacity()) {
      this.inFlight += 1;
      return Promise.resolve("go");
    }
    return new Promise((resolve) => this.#waiting[urgency].push(resolve));
  }

  leave(): void {
    this.inFlight -= 1;
    this.admit();
  }

  /** Lets in who may now: after a leave, or when the capacity has grown. */
  admit(): void {
    while (this.waiting > 0 && this.inFlight < this.#capacity()) {
      this.inFlight += 1;
      this.#next()?.("go");
    }
  }

  sendBack(): void {
    for (const urgency of ["interactive", "bulk"] as const) {
      for (const resolve of this.#waiting[urgency].splice(0)) resolve("put-back");
    }
  }

  #next(): ((admission: Admission) => void) | undefined {
    this.#granted += 1;
    const { interactive, bulk } = this.#waiting;
    const first = this.#granted % BULK_SHARE === 0 ? bulk : interactive;
    return first.shift() ?? interactive.shift() ?? bulk.shift();
  }
}
