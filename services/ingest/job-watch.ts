// Remembers accepted jobs for some seconds and then asks the record for them, many at once: nearly all are split by then. The
// others wait in a queue, and nothing would know of them if it were deleted: they are written down (shared/store/waiting-jobs.ts).
// So the answer waits for no database, and an ordinary job costs a look-up by id in the background.
// An account that is leaving goes within some seconds: its jobs are asked for at once, for who stands still may have one in hand.
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { WaitingJob, WaitingJobs } from "#shared/store/waiting-jobs.ts";

export const LOOK_AFTER_MS = 10_000;
const LOOK_EVERY_MS = 1_000;
const CLEAR_EVERY_MS = 60_000;
/** Addresses together: over this the oldest are looked for at once, over ten times this (no database) they are forgotten. */
const MANY_ADDRESSES = 20_000;
const MOST_ADDRESSES = 10 * MANY_ADDRESSES;
const TOGETHER = 500;

export interface JobWatch {
  accepted(job: WaitingJob): void;
  /** Asks for all that are remembered, once. */
  stop(): Promise<void>;
}

export interface JobWatchParts {
  jobs: Pick<WaitingJobs, "keep" | "clear">;
  isLeaving: (account: string) => boolean;
  clock: Clock;
  log: Log;
}

/** Thousands are held at full load: as text, for their objects would be most of what the garbage collector has to look at. */
interface Remembered {
  json: string;
  account: string;
  addresses: number;
  atMs: number;
}

class Watch implements JobWatch {
  readonly #jobs: JobWatchParts["jobs"];
  readonly #isLeaving: JobWatchParts["isLeaving"];
  readonly #log: Log;
  readonly #steady: Clock;
  readonly #timers: readonly NodeJS.Timeout[];
  #remembered: Remembered[] = [];
  #addresses = 0;
  #turn: Promise<void> = Promise.resolve();
  #isLooking = false;

  constructor({ jobs, isLeaving, clock, log }: JobWatchParts) {
    this.#jobs = jobs;
    this.#isLeaving = isLeaving;
    this.#log = log;
    this.#steady = createSteadyClock(clock);
    this.#timers = [
      setInterval(() => void this.look(), LOOK_EVERY_MS).unref(),
      setInterval(() => void this.#tolerant(() => jobs.clear()), CLEAR_EVERY_MS).unref(),
    ];
  }

  accepted(job: WaitingJob): void {
    const addresses = job.addresses.length;
    const { account } = job.head;
    this.#remembered.push({ json: JSON.stringify(job), account, addresses, atMs: this.#steady.nowMs() });
    this.#addresses += addresses;
    if (this.#addresses > MOST_ADDRESSES) this.#forget();
  }

  /** Looks for those that are due. */
  async look(untilMs: number = this.#steady.nowMs() - LOOK_AFTER_MS): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#turn = this.#tolerant(() => this.#lookUntil(untilMs));
    await this.#turn;
    this.#isLooking = false;
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#turn;
    await this.look(Infinity);
  }

  async #lookUntil(untilMs: number): Promise<void> {
    for (;;) {
      const group = this.#take(untilMs);
      if (group.length === 0) return;
      try {
        await this.#jobs.keep(group.map(({ json }) => JSON.parse(json) as WaitingJob));
      } catch (error) {
        this.#giveBack(group);
        throw error;
      }
    }
  }

  #take(untilMs: number): Remembered[] {
    const isFull = this.#addresses > MANY_ADDRESSES;
    const isDue = ({ atMs, account }: Remembered): boolean => isFull || atMs <= untilMs || this.#isLeaving(account);
    const group: Remembered[] = [];
    const others: Remembered[] = [];
    for (const job of this.#remembered) (group.length < TOGETHER && isDue(job) ? group : others).push(job);
    this.#remembered = others;
    this.#addresses -= addressesOf(group);
    return group;
  }

  #giveBack(group: readonly Remembered[]): void {
    this.#remembered = [...group, ...this.#remembered];
    this.#addresses += addressesOf(group);
  }

  /** Only while the database is away, for memory is bounded whatever waits. */
  #forget(): void {
    const group = this.#remembered.splice(0, Math.ceil(this.#remembered.length / 10));
    this.#addresses -= addressesOf(group);
    this.#log.warn({ jobs: group.length }, "ingest.waiting_jobs_forgotten");
  }

  /** The database may be away: then the next look finds it again. */
  async #tolerant(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => this.#log.warn({ err: error }, "ingest.waiting_jobs_unknown"));
  }
}

function addressesOf(group: readonly Remembered[]): number {
  return group.reduce((sum, { addresses }) => sum + addresses, 0);
}

export function startJobWatch(parts: JobWatchParts): JobWatch {
  return new Watch(parts);
}
