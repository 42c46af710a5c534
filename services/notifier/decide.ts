// What follows from the outcome of a POST, or from not having been let in: pure rules.
import type { BatchMessage } from "#shared/contracts/batch.ts";
import type { PostOutcome } from "./answer.ts";
import type { Ladder } from "./ladder.ts";
import { nextTry, parkedTry } from "./ladder.ts";

export type BatchEffect =
  | { kind: "finished" }
  /** Published to the tier, as this batch. */
  | { kind: "wait"; tierMs: number; batch: BatchMessage }
  | { kind: "dead"; batch: BatchMessage; reason: string };

export interface BatchSituation {
  batch: BatchMessage;
  ladder: Ladder;
  now: Date;
}

function leftMs({ batch, now }: BatchSituation): number {
  return Date.parse(batch.deadline) - now.getTime();
}

/** Without an attempt: the endpoint is at its bound, asked to wait, or is off. */
export function decideParked(situation: BatchSituation, parked: { reason: string; expectedMs: number }): BatchEffect {
  const next = parkedTry(situation.ladder, { expectedMs: parked.expectedMs, leftMs: leftMs(situation) });
  if (next.kind === "dead") return { kind: "dead", batch: situation.batch, reason: parked.reason };
  return { kind: "wait", tierMs: next.tierMs, batch: situation.batch };
}

export function decideOutcome(situation: BatchSituation, outcome: PostOutcome): BatchEffect {
  if (outcome.kind === "delivered") return { kind: "finished" };
  if (outcome.kind === "gone") return decideParked(situation, { reason: outcome.reason, expectedMs: 0 });
  const batch = { ...situation.batch, attempts: situation.batch.attempts + 1 };
  const next = nextTry(situation.ladder, {
    attempts: batch.attempts,
    leftMs: leftMs(situation),
    retryAfterMs: outcome.kind === "wait" ? outcome.retryAfterMs : undefined,
  });
  if (next.kind === "dead") return { kind: "dead", batch, reason: outcome.reason };
  return { kind: "wait", tierMs: next.tierMs, batch };
}
