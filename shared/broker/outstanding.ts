// Published and not yet confirmed, oldest first; bounded in number and bytes.
import type { Message } from "amqplib";
import type { Entry } from "./publish-job.ts";

const MOST_MESSAGES = 4_096;
const MOST_BYTES = 32 * 1024 * 1024;

export class Outstanding {
  readonly #entries = new Set<Entry>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  get isFull(): boolean {
    return this.#entries.size >= MOST_MESSAGES || this.#bytes >= MOST_BYTES;
  }

  add(entry: Entry): void {
    this.#entries.add(entry);
    this.#bytes += entry.body.length;
  }

  /** False where it was taken before: confirmed late, after its time was over. */
  take(entry: Entry): boolean {
    if (!this.#entries.delete(entry)) return false;
    this.#bytes -= entry.body.length;
    return true;
  }

  takeAll(): Entry[] {
    const all = [...this.#entries];
    this.#entries.clear();
    this.#bytes = 0;
    return all;
  }

  /** A return names no confirm: it is told by its target and its body. Its confirm follows. */
  markReturned(message: Message): void {
    const { exchange, routingKey } = message.fields;
    for (const entry of this.#entries) {
      if (entry.returned || entry.message.exchange !== exchange || entry.message.routingKey !== routingKey) continue;
      if (!entry.body.equals(message.content)) continue;
      entry.returned = true;
      return;
    }
  }

  /** Takes out what was sent before `sentBeforeMs`. */
  olderThan(sentBeforeMs: number): Entry[] {
    const old: Entry[] = [];
    for (const entry of this.#entries) {
      if (entry.sentAtMs >= sentBeforeMs) break;
      old.push(entry);
    }
    for (const entry of old) this.take(entry);
    return old;
  }

  restartClock(nowMs: number): void {
    for (const entry of this.#entries) entry.sentAtMs = nowMs;
  }
}
