// Open sessions of one destination that wait for the next mail. A sane number of mails each, and none idle for long.
import type { SmtpSession } from "./session.ts";

const MOST_MAILS = 100;
const LONGEST_LIFE_MS = 300_000;
const LONGEST_IDLE_MS = 10_000;

export class SessionPool {
  readonly #idle = new Map<SmtpSession, { key: string; timer: NodeJS.Timeout }>();

  get size(): number {
    return this.#idle.size;
  }

  /** The session used last: the others then go idle long enough to be closed. */
  take(key: string): SmtpSession | undefined {
    let found: SmtpSession | undefined;
    for (const [session, kept] of this.#idle) {
      if (kept.key === key && session.isUsable) found = session;
      else if (kept.key !== key) this.#drop(session);
    }
    if (found !== undefined) this.#remove(found);
    return found;
  }

  give(key: string, session: SmtpSession): void {
    const isWorn = session.transactions >= MOST_MAILS || session.ageMs > LONGEST_LIFE_MS;
    if (!session.isUsable) return;
    if (isWorn) return session.quit();
    const timer = setTimeout(() => this.#drop(session), LONGEST_IDLE_MS);
    timer.unref();
    session.onClosed = () => this.#remove(session);
    this.#idle.set(session, { key, timer });
  }

  closeAll(): void {
    for (const session of this.#idle.keys()) this.#drop(session);
  }

  #drop(session: SmtpSession): void {
    this.#remove(session);
    session.quit();
  }

  #remove(session: SmtpSession): void {
    clearTimeout(this.#idle.get(session)?.timer);
    this.#idle.delete(session);
    session.onClosed = undefined;
  }
}
