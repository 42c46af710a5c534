// What a mailbox is made with.
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { FaultGate } from "./fault-gate.ts";
import type { Held } from "./held.ts";

/** Takes a delivery through to its settlement; resolves when nothing is left to do for it. */
export type Worker = (held: Held) => Promise<void>;

export interface MailboxOptions {
  queue: string;
  prefetch: number;
  /** Deliveries, where a message holds several: `prefetch` by default. */
  mostInHand?: number | undefined;
  /** A lane begins paused, and is declared by whoever consumes it. */
  isLane: boolean;
  worker: Worker;
  gate: FaultGate;
  budget: ByteBudget;
  log: Log;
  clock: Clock;
  /** Declares the mailbox where it may not be there; `wasThere`: it was consumed before. */
  declare(wasThere: boolean): Promise<void>;
  /** Leaves the channel for good. */
  leave(): void;
}
