// What mails of one kind share: a relay, or a recipient domain of the default route. Its breaker, its bound, its sessions.
import type { AttemptResult } from "#shared/contracts/attempt.ts";
import type { Clock } from "#shared/clock.ts";
import type { BreakerState, Fault } from "./breaker.ts";
import { CLOSED, connectionsOf, onFault, onProbeFault, onSuccess, onToldSuspended, resumed } from "./breaker.ts";
import type { Urgency } from "./gate.ts";
import { Gate } from "./gate.ts";
import { SessionPool } from "./pool.ts";

export interface DestinationOptions {
  clock: Clock;
  /** Connections that the configuration allows. */
  connections(): number;
  /** Called after the breaker has opened or closed, or its next probe has moved. */
  onChange(was: BreakerState, is: BreakerState): void;
}

/** What an attempt has of its destination while it is made. */
export interface Place {
  /** Tells the breaker. */
  report(result: AttemptResult): void;
  leave(): void;
}

export class Destination {
  readonly #options: DestinationOptions;
  readonly pool: SessionPool;
  readonly #gate: Gate;
  #breaker: BreakerState = CLOSED;
  #isProbing = false;
  lastResponse: string | undefined;
  lastUsedMs: number;
  /** Places whose attempt is over and whose outcome is being written. */
  recording = 0;

  constructor(options: DestinationOptions) {
    this.#options = options;
    this.pool = new SessionPool();
    this.#gate = new Gate(() => connectionsOf(this.#breaker, options.connections()));
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
    return this.#gate.waiting > 0 && this.recording >= this.#gate.inFlight;
  }

  get isIdle(): boolean {
    return this.#gate.inFlight === 0 && this.#gate.waiting === 0 && this.pool.size === 0;
  }

  get isSuspended(): boolean {
    return this.#breaker.suspension !== undefined;
  }

  get connections(): number {
    return connectionsOf(this.#breaker, this.#options.connections());
  }

  /** Whether a suspended destination is due for its probe. */
  get isProbeDue(): boolean {
    const { suspension } = this.#breaker;
    return suspension !== undefined && !this.#isProbing && this.#options.clock.nowMs() >= suspension.nextProbeMs;
  }

  /** `put-back`: it is suspended and this is not the probe, or its turn has not come within `patienceMs`. */
  async enter(urgency: Urgency, patienceMs?: number): Promise<Place | "put-back"> {
    this.lastUsedMs = this.#options.clock.nowMs();
    if (this.isSuspended) return this.isProbeDue ? this.#probe() : "put-back";
    const admission = await this.#gate.enter(urgency, patienceMs);
    if (admission === "put-back") return admission;
    // Under way since before a suspension, it is no probe.
    return { report: (result) => this.#report(result, onFault), leave: () => this.#gate.leave() };
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
    const isFault = result.status === "deferred" && result.blame !== "mail";
    if (isFault) {
      const fault = { reason: result.text, response: result.origin === "remote" ? result.text : undefined };
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

  reset(): void {
    this.#become(CLOSED);
  }

  /** The configuration changed: more may be let in. */
  admit(): void {
    this.#gate.admit();
  }

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
