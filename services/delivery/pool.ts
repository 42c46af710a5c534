// Open sessions of one destination that wait for the next mail. A sane number of mails each, and none idle for long.
// One that was ended is its server's until the connection is gone, and counts there for as long.
import type { SmtpSession } from "./session.ts";

const MOST_MAILS = 100;
const LONGEST_LIFE_MS = 300_000;
const LONGEST_IDLE_MS = 10_000;

export type PooledSession = Pick<SmtpSession, "isUsable" | "transactions" | "ageMs" | "onClosed" | "quit" | "gone">;

export interface ConnectionBound {
  /** Connections that there may be now; what comes back beyond them is ended. */
  most(): number;
  /** Attempts under way: each has a connection of its own, or may open one. */
  inUse(): number;
}

export class SessionPool<S extends PooledSession = SmtpSession> {
  readonly #bound: ConnectionBound;
  readonly #idle = new Map<S, { key: string; timer: NodeJS.Timeout }>();
  readonly #leaving = new Map<S, string>();

  constructor(bound: ConnectionBound) {
    this.#bound = bound;
  }

  get size(): number {
    return this.#idle.size;
  }

  /** The session used last: the others then go idle long enough to be closed. */
  take(key: string): S | undefined {
    let found: S | undefined;
    for (const [session, kept] of this.#idle) {
      if (kept.key === key && session.isUsable) found = session;
      else if (kept.key !== key) this.#end(session);
    }
    if (found !== undefined) this.#remove(found);
    return found;
  }

  give(key: string, session: S): void {
    const isWorn = session.transactions >= MOST_MAILS || session.ageMs > LONGEST_LIFE_MS;
    if (!session.isUsable || isWorn || this.#idle.size >= this.#bound.most()) return this.#leave(session, key);
    const timer = setTimeout(() => this.#end(session), LONGEST_IDLE_MS);
    timer.unref();
    session.onClosed = () => this.#remove(session);
    this.#idle.set(session, { key, timer });
  }

  closeAll(): void {
    for (const session of this.#idle.keys()) this.#end(session);
  }

  /**
   * Resolves when another may be opened: at once where there is room beside those that were ended, otherwise when none of them
   * is still connected. A server that does not hang up is hung up on.
   */
  async untilRoom(key: string): Promise<void> {
    const ended = [...this.#leaving].filter(([, kept]) => kept === key);
    if (this.#bound.inUse() + this.#idle.size + ended.length <= this.#bound.most()) return;
    await Promise.all(ended.map(([session]) => session.gone));
  }

  #end(session: S): void {
    const kept = this.#idle.get(session);
    this.#remove(session);
    if (kept !== undefined) this.#leave(session, kept.key);
  }

  #leave(session: S, key: string): void {
    session.quit();
    this.#leaving.set(session, key);
    void session.gone.then(() => this.#leaving.delete(session));
  }

  #remove(session: S): void {
    clearTimeout(this.#idle.get(session)?.timer);
    this.#idle.delete(session);
    session.onClosed = undefined;
  }
}
