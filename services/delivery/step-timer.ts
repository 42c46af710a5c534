// The one timer of a conversation: follows its steps and says when one has taken too long.
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
  #timer: NodeJS.Timeout | undefined;
  #limits: TimeLimits | undefined;
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

  stop(): void {
    clearTimeout(this.#timer);
    this.#limits = undefined;
  }

  follow(step: Waiting): void {
    clearTimeout(this.#timer);
    const limits = this.#limits;
    if (limits === undefined || step === "idle") return;
    this.#sent = sentBytes(this.socket);
    const limit = limitOf(step, limits, this.#clock.nowMs());
    this.#timer = setTimeout(() => this.#onTime(step, limit), Math.max(0, limit.atMs - this.#clock.nowMs()));
  }

  #onTime(step: Waiting, limit: Limit): void {
    const limits = this.#limits;
    if (limits === undefined) return;
    const isOver = this.#clock.nowMs() >= Math.min(limits.totalMs, limits.deadlineMs);
    const isMoving = step === "data" && sentBytes(this.socket) > this.#sent;
    if (isMoving && !isOver) return this.follow(step);
    this.#onLate(step, limit);
  }
}
