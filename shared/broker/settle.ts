// The one place that acknowledges (design, Rules 1): called after everything that follows from a message is confirmed.
import type { Held } from "./held.ts";

/** Done with: the broker forgets it. A lost delivery is with somebody else by now. */
export function acknowledge(held: Held): void {
  if (!held.isLost) quietly(() => held.channel.ack(held.raw));
}

/** Back to its queue, not begun: marked as redelivered from now on. */
export function handBack(held: Held): void {
  if (!held.isLost) quietly(() => held.channel.nack(held.raw, false, true));
}

/** A channel that closes at this very moment has returned the delivery by itself. */
function quietly(settle: () => void): void {
  try {
    settle();
  } catch (error) {
    if (!(error instanceof Error && error.name === "IllegalOperationError")) throw error;
  }
}
