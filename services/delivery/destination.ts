// What mails of one kind share: a relay, or a recipient domain of the default route. Its breaker, its bound, its sessions.
import type { AttemptResult } from "#shared/contracts/attempt.ts";
import type { Clock } from "#shared/clock.ts";
import { REST_AFTER_MS } from "#shared/rest-without-store.ts";
import type { BreakerState, Fault } from "./breaker.ts";
import {
  CLOSED,
  connectionsOf,
  faultOf,
  isProbeDue,
  onFault,
  onProbeFault,
  onSuccess,
  onToldSuspended,
  resumed,
} from "./breaker.ts";
import type { Urgency } from "./gate.ts";
import { Gate } from "./gate.ts";
import { SessionPool } from "./pool.ts";

export interface DestinationOptions {
  clock: Clock;
  /** Connections that the configuration allows. */
  connections(): number;
  /** Those of a destination of which nothing good is known: others share its mailbox. */
  unproven?: number;
  /** Called after the breaker has opened or closed, or its next probe has moved. */
  onChange(was: BreakerState, is: BreakerState): void;
}

/** What an attempt has of its destination while it is made. */
export interface Place {
  /** Tells the breaker. */
  report(result: AttemptResult): void;
  leave(): void;
}

/** A success counts for this long. */
const PROVEN_FOR_MS = 600_000;
/** With something under way and no success for this long; slow servers that answer take less for a mail. */
const HANGING_AFTER_MS = 30_000;

export class Destination {
  readonly #options: DestinationOptions;
  readonly pool: SessionPool;
  readonly #gate: Gate;
  #breaker: BreakerState = CLOSED;
  #isProbing = false;
  #busySinceMs = 0;
  lastResponse: string | undefined;
  lastUsedMs: number;
  /** Places whose attempt is over and whose outcome is being written. */
  #recording = 0;
  #whileUnwritten: NodeJS.Timeout | undefined;

  constructor(options: DestinationOptions) {
    this.#options = options;
    this.#gate = new Gate(() => this.connections);
    this.pool = new SessionPool({ most: () => this.connections, inUse: () => this.inFlight });
    this.lastUsedMs = options.clock.nowMs();
  }

  get breaker(): BreakerState {
    return this.#breaker;
  }

  get inFlight(): number {
    return this.#gate.inFlight;
  }

  /** Mails wait for a place, and all places for outcomes to be written. */
  get isHeldUp(): boolean {
    return this.#gate.waiting > 0 && this.#recording >= this.#gate.inFlight;
  }

  get isIdle(): boolean {
    return this.#gate.inFlight === 0 && this.#gate.waiting === 0 && this.pool.size === 0;
  }

  get isSuspended(): boolean {
    return this.#breaker.suspension !== undefined;
  }

  get connections(): number {
    const most = connectionsOf(this.#breaker, this.#options.connections());
    const isProven = this.#options.clock.nowMs() - this.#breaker.lastSuccessMs <= PROVEN_FOR_MS;
    return isProven ? most : Math.min(most, this.#options.unproven ?? most);
  }

  /** Nothing comes back: whoever finds no place will not find one soon. */
  get isHanging(): boolean {
    const sinceMs = Math.max(this.#busySinceMs, this.#breaker.lastSuccessMs);
    return this.inFlight > 0 && this.#options.clock.nowMs() - sinceMs > HANGING_AFTER_MS;
  }

  /** Whether a suspended destination is due for its probe. */
  get isProbeDue(): boolean {
    const { suspension } = this.#breaker;
    return suspension !== undefined && !this.#isProbing && isProbeDue(suspension, this.#options.clock.nowMs());
  }

  /** `put-back`: it is suspended and this is not the probe, or its turn has not come within `patienceMs`. */
  async enter(urgency: Urgency, patienceMs?: number): Promise<Place | "put-back"> {
    this.lastUsedMs = this.#options.clock.nowMs();
    if (this.inFlight === 0) this.#busySinceMs = this.lastUsedMs;
    if (this.isSuspended) return this.isProbeDue ? this.#probe() : "put-back";
    const longestMs = patienceMs !== undefined && this.isHanging ? 0 : patienceMs;
    const admission = await this.#gate.enter(urgency, longestMs);
    if (admission === "put-back") return admission;
    // Under way since before a suspension, it is no probe.
    return { report: (result) => this.#report(result, onFault), leave: () => this.#gate.leave() };
  }

  /** Told when the outcome is written. Where none is for long, whoever waits for a place goes back: another replica may have a database. */
  beginRecord(): () => void {
    this.#recording += 1;
    this.#whileUnwritten ??= setInterval(() => this.close(), REST_AFTER_MS);
    return () => {
      this.#recording -= 1;
      this.#whileUnwritten?.refresh();
      if (this.#recording > 0) return;
      clearInterval(this.#whileUnwritten);
      this.#whileUnwritten = undefined;
    };
  }

  #probe(): Place {
    this.#isProbing = true;
    this.#gate.inFlight += 1;
    return {
      report: (result) => this.#report(result, onProbeFault),
      leave: () => {
        this.#isProbing = false;
        this.#gate.leave();
      },
    };
  }

  #report(result: AttemptResult, afterFault: typeof onFault): void {
    if (result.origin === "remote") this.lastResponse = result.text;
    const now = this.#options.clock.nowMs();
    const fault = faultOf(result);
    if (fault !== undefined) {
      this.#become(afterFault(this.#breaker, fault, now));
    } else if (result.origin === "remote") {
      this.#become(onSuccess(this.#breaker, this.#options.connections(), now));
    }
  }

  told(fault: Fault & { sinceMs: number }): void {
    this.#become(onToldSuspended(this.#breaker, fault, this.#options.clock.nowMs()));
  }

  resume(): void {
    if (this.isSuspended)
      this.#become(resumed(this.#breaker, this.#options.connections(), this.#options.clock.nowMs()));
  }

  /** What others still tell of before counts no more than before a success. */
  reset(): void {
    this.#become({ ...CLOSED, lastSuccessMs: this.#options.clock.nowMs() });
  }

  /** The configuration changed: more may be let in. */
  admit(): void {
    this.#gate.admit();
  }

  /** Who waits is sent back, and no connection is kept for them; what is under way goes on. */
  close(): void {
    this.#gate.sendBack();
    this.pool.closeAll();
  }

  #become(state: BreakerState): void {
    const was = this.#breaker;
    this.#breaker = state;
    if (state.suspension !== undefined && was.suspension === undefined) {
      this.#gate.sendBack();
      this.pool.closeAll();
    }
    if (state !== was) this.#options.onChange(was, state);
    if (state.suspension === undefined) this.#gate.admit();
  }
}
