// Writes the outcomes of attempts, and remembers those that are not written yet: an attempt is not made again for that.
// While the database is away an outcome is kept and tried again, its mail in hand and its place taken, so that no new attempt
// starts meanwhile and a kill can double no more mails than there are places.
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Ledger, LedgerKey } from "#shared/store/ledger.ts";

/** Bounded: one whose mail came to another replica is never asked for again. */
const KEPT = 10_000;
const AGAIN_MS = 250;
/** With the attempt; then the mail is given back, and may be sent again by who has a database, before the broker takes it (30 minutes). */
export const LONGEST_MS = 1_500_000;

const idOf = ({ mailId, attempt }: LedgerKey): string => `${mailId}:${attempt}`;

export function deadlineOf(mail: MailMessage, clock: Clock): Date {
  const date = clock.now();
  date.setTime(Date.parse(mail.head.deadline));
  return date;
}

export interface OutcomePorts {
  ledger: Pick<Ledger, "record">;
  clock: Clock;
  /** For how long to try. */
  steady: Clock;
}

export class Outcomes {
  readonly #ports: OutcomePorts;
  readonly #stopping = new AbortController();
  readonly #unrecorded = new LRUCache<string, Attempt>({ max: KEPT });

  constructor(ports: OutcomePorts) {
    this.#ports = ports;
  }

  unrecorded(key: LedgerKey): Attempt | undefined {
    return this.#unrecorded.get(idOf(key));
  }

  /** The process ends: what cannot be written now goes back to the broker. */
  giveUp(): void {
    this.#stopping.abort();
  }

  /** Resolves once it is on disk, to the outcome that stands of this attempt: a copy's may have been there before. */
  async record(mail: MailMessage, attempt: Attempt): Promise<Attempt> {
    const key = { mailId: mail.mailId, attempt: mail.attempt };
    this.#unrecorded.set(idOf(key), attempt);
    const standing = await this.#write(key, attempt, deadlineOf(mail, this.#ports.clock));
    this.#unrecorded.delete(idOf(key));
    return standing;
  }

  async #write(key: LedgerKey, attempt: Attempt, deadline: Date): Promise<Attempt> {
    const { ledger, clock, steady } = this.#ports;
    const untilMs = steady.nowMs() + LONGEST_MS - attempt.durationMs;
    for (;;) {
      try {
        return await ledger.record(key, attempt, deadline);
      } catch (error) {
        const isLast = this.#stopping.signal.aborted || steady.nowMs() >= untilMs;
        if (isLast || !isRetriable(error)) throw error;
        await clock.sleep(AGAIN_MS, this.#stopping.signal).catch(() => undefined);
      }
    }
  }
}
