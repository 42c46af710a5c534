// The endpoints that this replica posts to: how each fares, who posts to it now, who waits for a turn. State that
// matters beyond this replica is shared through the store: what is not open, and what an operator switched on again.
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { Endpoints, EndpointState } from "#shared/store/endpoints.ts";
import type { GroupCommit } from "#shared/store/group-commit.ts";
import { createGroupCommit } from "#shared/store/group-commit.ts";
import type { PostOutcome } from "./answer.ts";
import type { Admission, Bound, Entry, Turn } from "./board-entry.ts";
import { admitWaiting, entryOf, isChanged, isWorthWaiting, parkedFor, roomOf, stateOf } from "./board-entry.ts";
import type { EndpointDetails } from "./endpoint.ts";
import type { Health } from "./health.ts";
import { afterOutcome, healthy } from "./health.ts";
import type { Pace } from "./pace.ts";
import { createPace } from "./pace.ts";

export interface Board {
  /** A turn to post so many bytes, at once or after a short wait; otherwise the batch is parked. Throws StoreUnavailable. */
  admit(details: EndpointDetails, bytes: number): Promise<Admission>;
  /** Writes what changed here, and looks after those that nobody asks for. Called every second. */
  synchronize(): Promise<void>;
  /** Forgets what is held against an account's endpoints (an operator switched them on). */
  open(account: string): void;
  /** Endpoints by state, for the metrics. */
  counts(): Readonly<Record<Health["state"], number>>;
}

export interface BoardOptions {
  endpoints: Endpoints;
  clock: Clock;
  log: Log;
  /** Batches that may wait for a turn in this replica, over all endpoints. */
  mostWaiting: number;
  /**
   * What all endpoints of an account may have: POSTs in flight, for each of its jobs may name another, and all may hang; and
   * bytes, in flight or waiting for a turn. One batch may go however long it is.
   */
  mostOfAccount: AccountUse;
  /** How long the state of an endpoint that came with a job is kept. */
  keptMs: number;
}

export interface AccountUse {
  posts: number;
  bytes: number;
}

const NOTHING: AccountUse = { posts: 0, bytes: 0 };
const MIB = 1_048_576;
const LONGEST_TURN_WAIT_MS = 5_000;
/** How often it is looked after those that wait. */
const LOOK_EVERY_MS = 250;
const MOST_ENDPOINTS = 10_000;
/** The last answer of an endpoint that goes on as before is written this often. */
const SAVED_EVERY_MS = 5_000;
/** What others say of an endpoint counts within a second: who asks for it later than that looks again. */
const LOOKED_AT_FOR_MS = 1_000;
const MOST_IN_ONE_LOOK = 500;

class EndpointBoard implements Board {
  readonly #endpoints: Endpoints;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #entries = new LRUCache<string, Entry>({ max: MOST_ENDPOINTS });
  readonly #mostWaiting: number;
  readonly #mostOfAccount: AccountUse;
  readonly #uses = new Map<string, AccountUse>();
  /** Of those accounts that were at their bound of late, by what came back of all their POSTs. */
  readonly #paces = new LRUCache<string, Pace>({ max: MOST_ENDPOINTS });
  readonly #keptMs: number;
  readonly #looks: GroupCommit<Entry>;
  #waiting = 0;
  #isLooking = false;

  constructor({ endpoints, clock, log, mostWaiting, mostOfAccount, keptMs }: BoardOptions) {
    this.#mostWaiting = mostWaiting;
    this.#mostOfAccount = mostOfAccount;
    this.#keptMs = keptMs;
    this.#looks = createGroupCommit({ write: (entries) => this.#lookAt(entries), max: MOST_IN_ONE_LOOK });
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#log = log;
  }

  async admit(details: EndpointDetails, bytes: number): Promise<Admission> {
    const entry = this.#entryOf(details);
    entry.isJobs = details.isJobs === true;
    if (this.#clock.nowMs() - entry.lookedMs >= LOOKED_AT_FOR_MS) await this.#look(entry);
    const nowMs = this.#clock.nowMs();
    const bound = this.#boundOf(entry, bytes);
    if (bound !== undefined) return parkedFor(entry, nowMs, bound);
    if (roomOf(entry, nowMs) > 0) return { kind: "turn", turn: this.#begin(entry, bytes) };
    // An endpoint may hold three times what is left free: one alone three quarters of all, many a fair share each.
    const free = this.#mostWaiting - this.#waiting;
    if (entry.waiting.length >= 3 * free || !isWorthWaiting(entry, nowMs)) return parkedFor(entry, nowMs);
    const turn = await this.#waitForTurn(entry, bytes);
    return turn === undefined ? parkedFor(entry, this.#clock.nowMs()) : { kind: "turn", turn };
  }

  open(account: string): void {
    for (const entry of this.#entries.values()) {
      if (entry.account === account) this.#reopen(entry);
    }
  }

  counts(): Readonly<Record<Health["state"], number>> {
    const counts = { open: 0, slowed: 0, off: 0 };
    for (const entry of this.#entries.values()) counts[entry.health.state] += 1;
    return counts;
  }

  async synchronize(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const changed = [...this.#entries.values()].filter(isChanged).map((entry) => ({ entry, upTo: entry.changes }));
    const expiresAt = new Date(nowMs + this.#keptMs);
    await this.#endpoints.save(changed.map(({ entry }) => stateOf(entry, expiresAt)));
    for (const { entry, upTo } of changed) Object.assign(entry, { savedChanges: upTo, savedMs: nowMs });
    await Promise.all(this.#unasked().map((entry) => this.#look(entry)));
  }

  /** Those that nobody looks at by asking for them: others wait for a turn, or it is off and nobody knows that it is on again. */
  #unasked(): Entry[] {
    const entries = [...this.#entries.values()];
    const closed = entries.filter(({ health, waiting }) => health.state !== "open" && waiting.length === 0);
    const longest = closed.toSorted((a, b) => a.lookedMs - b.lookedMs).slice(0, MOST_IN_ONE_LOOK);
    return [...entries.filter(({ waiting }) => waiting.length > 0), ...longest];
  }

  #look(entry: Entry): Promise<void> {
    entry.looking ??= this.#looks.add(entry).finally(() => {
      entry.looking = undefined;
    });
    return entry.looking;
  }

  async #lookAt(entries: readonly Entry[]): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const asked = entries.map((entry) => ({ entry, savedChanges: entry.savedChanges }));
    const found = await this.#endpoints.held(
      entries.map(({ key }) => key),
      this.#clock.now(),
    );
    const held = new Map(found.map((state) => [state._id, state]));
    for (const { entry, savedChanges } of asked) {
      entry.lookedMs = nowMs;
      // The answer may be from before what has become of it here was written.
      if (entry.changes === savedChanges) this.#adopt(entry, held.get(entry.key));
    }
  }

  #entryOf(details: EndpointDetails): Entry {
    const key = `${details.account} ${details.url}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry = entryOf(details, this.#clock.nowMs());
    this.#entries.set(key, entry);
    return entry;
  }

  /** What holds it elsewhere holds it here; what is off here and no longer in the store was switched on. */
  #adopt(entry: Entry, stored: EndpointState | undefined): void {
    const { state, untilMs } = entry.health;
    if (stored === undefined) {
      if (state === "off") this.#reopen(entry);
      return;
    }
    const storedMs = stored.until?.getTime() ?? 0;
    const isNews = state !== stored.state || storedMs > untilMs;
    if (!isNews) return;
    entry.health = { ...entry.health, state: stored.state, sinceMs: stored.since.getTime(), untilMs: storedMs };
    entry.lastAnswer = stored.lastAnswer ?? entry.lastAnswer;
  }

  /** Its next answer is told at once: the last one is from before. */
  #reopen(entry: Entry): void {
    entry.health = healthy(this.#clock.nowMs());
    entry.savedMs = -Infinity;
  }

  /** At which bound its account is, where it may have no more. */
  #boundOf({ account }: Entry, more: number): Bound | undefined {
    const { posts, bytes } = this.#uses.get(account) ?? NOTHING;
    const most = this.#mostOfAccount;
    const isFull = posts >= most.posts;
    if (!isFull && (bytes === 0 || bytes + more <= most.bytes)) return undefined;
    const pace = this.#paces.get(account) ?? createPace();
    this.#paces.set(account, pace);
    const has = isFull ? `${most.posts} POSTs` : `${most.bytes / MIB} MiB`;
    return { reason: `the account has ${has} under way`, pace };
  }

  #use({ account }: Entry, { posts, bytes }: AccountUse): void {
    const before = this.#uses.get(account) ?? NOTHING;
    const now = { posts: before.posts + posts, bytes: before.bytes + bytes };
    if (now.posts === 0 && now.bytes === 0) this.#uses.delete(account);
    else this.#uses.set(account, now);
  }

  #begin(entry: Entry, bytes: number): Turn {
    const id = Symbol("turn");
    entry.inFlight.set(id, this.#clock.nowMs());
    this.#use(entry, { posts: 1, bytes });
    return {
      end: (outcome) => {
        entry.inFlight.delete(id);
        this.#use(entry, { posts: -1, bytes: -bytes });
        this.#paces.get(entry.account)?.notePosted(this.#clock.nowMs());
        this.#learn(entry, outcome);
        admitWaiting(entry, this.#clock.nowMs());
      },
    };
  }

  #learn(entry: Entry, outcome: PostOutcome): void {
    const nowMs = this.#clock.nowMs();
    const before = entry.health.state;
    entry.health = afterOutcome(entry.health, outcome, nowMs);
    const error = outcome.kind === "delivered" ? {} : { error: outcome.reason };
    entry.lastAnswer = { at: this.#clock.now(), status: outcome.status, ...error };
    if (outcome.kind === "delivered") {
      entry.lastSuccessMs = nowMs;
      entry.pace.notePosted(nowMs);
    }
    const isMoved = before !== entry.health.state;
    if (isMoved || nowMs - entry.savedMs > SAVED_EVERY_MS) entry.changes += 1;
    if (isMoved) this.#report(entry, before);
  }

  #report(entry: Entry, before: Health["state"]): void {
    const { state } = entry.health;
    const facts = { account: entry.account, state, before, status: entry.lastAnswer?.status };
    if (state === "off") this.#log.error({ ...facts, alarm: true }, "endpoint.switched_off");
    else this.#log.info(facts, "endpoint.changed");
  }

  async #waitForTurn(entry: Entry, bytes: number): Promise<Turn | undefined> {
    const { promise, resolve } = Promise.withResolvers<Turn | undefined>();
    entry.waiting.push({
      sinceMs: this.#clock.nowMs(),
      enter: (isAdmitted) => resolve(isAdmitted ? this.#begin(entry, bytes) : undefined),
    });
    this.#use(entry, { posts: 0, bytes });
    this.#waiting += 1;
    if (!this.#isLooking) void this.#lookAfterWaiting();
    const turn = await promise;
    this.#use(entry, { posts: 0, bytes: -bytes });
    this.#waiting -= 1;
    return turn;
  }

  /** Sends away who waits too long, or for an endpoint that went silent. */
  async #lookAfterWaiting(): Promise<void> {
    this.#isLooking = true;
    while (this.#waiting > 0) {
      await this.#clock.sleep(LOOK_EVERY_MS);
      const nowMs = this.#clock.nowMs();
      for (const entry of this.#entries.values()) {
        if (entry.waiting.length > 0) this.#sendAway(entry, nowMs);
      }
    }
    this.#isLooking = false;
  }

  #sendAway(entry: Entry, nowMs: number): void {
    admitWaiting(entry, nowMs);
    const isHopeless = !isWorthWaiting(entry, nowMs);
    const tired = entry.waiting.filter(({ sinceMs }) => isHopeless || nowMs - sinceMs > LONGEST_TURN_WAIT_MS);
    entry.waiting = entry.waiting.filter((item) => !tired.includes(item));
    for (const item of tired) item.enter(false);
  }
}

export function createBoard(options: BoardOptions): Board {
  return new EndpointBoard(options);
}
