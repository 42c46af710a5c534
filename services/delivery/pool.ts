// Open sessions of one destination that wait for the next mail. A sane number of mails each, and none idle for long.
// One that was ended is its server's until the connection is gone: whoever opens another before has one too many there.
import type { SmtpSession } from "./session.ts";

const MOST_MAILS = 100;
const LONGEST_LIFE_MS = 300_000;
const LONGEST_IDLE_MS = 10_000;

export type PooledSession = Pick<SmtpSession, "isUsable" | "transactions" | "ageMs" | "onClosed" | "quit" | "gone">;

export class SessionPool<S extends PooledSession = SmtpSession> {
  readonly #most: () => number;
  readonly #idle = new Map<S, { key: string; timer: NodeJS.Timeout }>();
  readonly #leaving = new Map<S, string>();

  /** `most`: connections that there may be now; what comes back beyond them is ended. */
  constructor(most: () => number) {
    this.#most = most;
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
    if (!session.isUsable) return this.#leave(session, key);
    const timer = setTimeout(() => this.#end(session), LONGEST_IDLE_MS);
    timer.unref();
    session.onClosed = () => this.#remove(session);
    this.#idle.set(session, { key, timer });
    if (isWorn || this.#idle.size > this.#most()) this.#end(session);
  }

  closeAll(): void {
    for (const session of this.#idle.keys()) this.#end(session);
  }

  /** Resolves when none of those that were ended is still connected: a server that does not hang up is hung up on. */
  async untilGone(key: string): Promise<void> {
    const ended = [...this.#leaving].filter(([, kept]) => kept === key);
    await Promise.all(ended.map(([session]) => session.gone));
  }

  #end(session: S): void {
    const kept = this.#idle.get(session);
    this.#remove(session);
    session.quit();
    if (kept !== undefined) this.#leave(session, kept.key);
  }

  #leave(session: S, key: string): void {
    this.#leaving.set(session, key);
    void session.gone.then(() => this.#leaving.delete(session));
  }

  #remove(session: S): void {
    clearTimeout(this.#idle.get(session)?.timer);
    this.#idle.delete(session);
    session.onClosed = undefined;
  }
}
