// The one timer of a conversation: follows its steps and says when one has taken too long. It is set anew only where a step
// ends before it: most steps end in milliseconds, and their limits are minutes away.
// Data that still moves is not late, however slow: RFC 5321 4.5.3.2.5 bounds the wait for progress.
import type { Socket } from "node:net";
import type { Clock } from "#shared/clock.ts";
import type { Limit, TimeLimits } from "./time-limits.ts";
import { limitOf } from "./time-limits.ts";
import type { Waiting } from "./transcript.ts";

const sentBytes = (socket: Socket): number => socket.bytesWritten - socket.writableLength;

export class StepTimer {
  readonly #clock: Clock;
  readonly #onLate: (step: Waiting, limit: Limit) => void;
  #timer: { atMs: number; timeout: NodeJS.Timeout } | undefined;
  #limits: TimeLimits | undefined;
  #waiting: { step: Waiting; limit: Limit } | undefined;
  #sent = 0;
  socket: Socket;

  constructor(socket: Socket, clock: Clock, onLate: (step: Waiting, limit: Limit) => void) {
    this.socket = socket;
    this.#clock = clock;
    this.#onLate = onLate;
  }

  start(limits: TimeLimits, step: Waiting): void {
    this.#limits = limits;
    this.follow(step);
  }

  /** Nothing is waited for until the next start. */
  stop(): void {
    this.#limits = undefined;
    this.#waiting = undefined;
  }

  /** The conversation is over. */
  close(): void {
    this.stop();
    clearTimeout(this.#timer?.timeout);
    this.#timer = undefined;
  }

  follow(step: Waiting): void {
    this.#waiting = undefined;
    const limits = this.#limits;
    if (limits === undefined || step === "idle") return;
    this.#sent = sentBytes(this.socket);
    const nowMs = this.#clock.nowMs();
    const limit = limitOf(step, limits, nowMs);
    this.#waiting = { step, limit };
    if (this.#timer === undefined || this.#timer.atMs > limit.atMs) this.#wakeAt(limit.atMs, nowMs);
  }

  #wakeAt(atMs: number, nowMs: number): void {
    clearTimeout(this.#timer?.timeout);
    this.#timer = { atMs, timeout: setTimeout(() => this.#onTime(), Math.max(0, Math.ceil(atMs - nowMs))) };
  }

  #onTime(): void {
    this.#timer = undefined;
    const limits = this.#limits;
    if (limits === undefined || this.#waiting === undefined) return;
    const { step, limit } = this.#waiting;
    const nowMs = this.#clock.nowMs();
    if (nowMs < limit.atMs) return this.#wakeAt(limit.atMs, nowMs);
    const isOver = nowMs >= Math.min(limits.totalMs, limits.deadlineMs);
    const isMoving = step === "data" && sentBytes(this.socket) > this.#sent;
    if (isMoving && !isOver) return this.follow(step);
    this.#onLate(step, limit);
  }
}
