// How delivery comes to a stop: no mail is let in any more, and what is under way ends with the drain, whoever else takes longer.
import type { LaneSet } from "./lane-set.ts";
import type { AttemptMaker } from "./make-attempt.ts";

export interface Draining {
  lanes: Pick<LaneSet, "stop">;
  attempts: Pick<AttemptMaker, "abandonAll">;
  /** What is waited for beside the mails. */
  others: readonly (() => Promise<void>)[];
  withinMs: number;
}

export async function drain({ lanes, attempts, others, withinMs }: Draining): Promise<void> {
  const timer = setTimeout(() => attempts.abandonAll(), Math.max(0, withinMs));
  await Promise.all([lanes.stop(), ...others.map((stop) => stop())]);
  clearTimeout(timer);
}
