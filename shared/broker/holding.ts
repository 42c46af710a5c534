// What a mailbox has been given and not yet settled: each counts in the budget of the process for as long.
import type { Channel } from "amqplib";
import type { ByteBudget } from "./byte-budget.ts";
import type { Held } from "./held.ts";

export class Holding {
  readonly #budget: Pick<ByteBudget, "add" | "remove">;
  readonly #held = new Set<Held>();

  constructor(budget: Pick<ByteBudget, "add" | "remove">) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#held.size;
  }

  has(channel: Channel): boolean {
    for (const held of this.#held) if (held.channel === channel) return true;
    return false;
  }

  add(held: Held): void {
    this.#held.add(held);
    this.#budget.add(held.raw.content.length);
  }

  letGo(held: Held): void {
    if (this.#held.delete(held)) this.#budget.remove(held.raw.content.length);
  }

  /** Nothing of the channel can be settled any more: its deliveries are told. */
  lose(channel: Channel): void {
    for (const held of this.#held) {
      if (held.channel !== channel) continue;
      held.lose();
      this.letGo(held);
    }
  }
}
