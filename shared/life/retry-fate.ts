// What becomes of a mail that was not delivered: waits for its next attempt, or ends. Pure: time and ledger come as arguments.
import type { Attempt, DeferredMessage } from "#shared/contracts/attempt.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import type { Ladder } from "./ladder.ts";
import { nextWait, slackOf } from "./ladder.ts";

export type RetryFate =
  /** DEFERRED, and the next attempt after a wait. */
  | { kind: "retry"; waitMs: number; attempt: Attempt }
  /** DEFERRED that tells of a suspended lane; no attempt was made and none is counted. */
  | { kind: "tell-waiting"; waitMs: number | undefined; text: string }
  /** BOUNCED / SOFT_BOUNCE, with the reason of the last attempt where there was one. */
  | { kind: "end"; attempt: Attempt | undefined }
  /** The outcome of a copy is known: its tracking point is told again in place of an end. */
  | { kind: "tell-outcome"; outcome: Attempt }
  /** A copy goes on from a later attempt: it has its own end. */
  | { kind: "leave" }
  /** Nothing fits any more, but a copy may be on its way: asked again once the deadline is over. */
  | { kind: "ask-later"; waitMs: number }
  /** Not over yet, or a copy may be at its final dot: seen again after a moment. */
  | { kind: "return" };

export interface RetryGround {
  ladder: Ladder;
  nowMs: number;
  /** Outcomes of the mail by the ledger, oldest first; undefined where it was not asked. */
  outcomes?: readonly Attempt[] | undefined;
  /** An attempt of the mail may be under way, whose outcome the ledger will know. */
  isUnderWay?: boolean | undefined;
}

/** Clocks of two machines differ: a mail that comes as expired this close before its deadline has reached it. */
const CLOCK_SKEW_MS = 5_000;

/** An attempt claims once it has lasted 2 s; the rest is for the claim's way and for clocks. */
const UNCLAIMED_MS = 4_000;

const leftOf = (mail: MailMessage, nowMs: number): number => Date.parse(mail.head.deadline) - nowMs;

/** Whether the ledger has to be asked: only before an end, and for one that a copy may have come to before. */
export function needsLedger(message: DeferredMessage, suspect: boolean, ground: RetryGround): boolean {
  return suspect && decideDeferred(message, { ...ground, outcomes: undefined }).kind === "end";
}

/** Whether an attempt that began before the deadline may still be without a claim. */
export function mayBeUnclaimed(mail: MailMessage, nowMs: number): boolean {
  return leftOf(mail, nowMs) > -UNCLAIMED_MS;
}

export function decideDeferred({ mail, attempt, waiting }: DeferredMessage, ground: RetryGround): RetryFate {
  const { ladder, nowMs, outcomes, isUnderWay } = ground;
  const leftMs = leftOf(mail, nowMs);
  if (attempt === undefined) {
    return { kind: "tell-waiting", waitMs: nextWait(ladder, 1, leftMs), text: waiting ?? "the lane is suspended" };
  }
  const waitMs = nextWait(ladder, mail.attempt, leftMs + latenessOf(attempt, ground));
  if (waitMs !== undefined) return { kind: "retry", waitMs, attempt };
  if (outcomes === undefined) return { kind: "end", attempt };
  const ended = outcomes.find(({ result }) => result.status !== "deferred");
  if (ended !== undefined) return { kind: "tell-outcome", outcome: ended };
  if (outcomes.some((other) => other.attempt > mail.attempt)) return { kind: "leave" };
  if (leftMs > 0) return { kind: "ask-later", waitMs: Math.min(...ladder) };
  return isUnderWay === true ? { kind: "return" } : { kind: "end", attempt };
}

/**
 * How long ago the attempt ended, as far as its wait takes no account of that: two passes over one message decide the
 * same, so that no copy takes a shorter wait and overtakes. One that comes later than a wait allows for counts from now.
 */
function latenessOf({ at, durationMs }: Attempt, { ladder, nowMs }: RetryGround): number {
  const lateMs = nowMs - Date.parse(at) - durationMs;
  return Math.abs(lateMs) <= slackOf(ladder) ? lateMs : 0;
}

export interface ExpiryGround {
  isDeadOfAge: boolean;
  nowMs: number;
  outcomes: readonly Attempt[];
  isUnderWay: boolean;
}

/** A mail that expired in its lane, or was found past its deadline on its way there. */
export function decideExpired(mail: MailMessage, ground: ExpiryGround): RetryFate {
  const { isDeadOfAge, nowMs, outcomes, isUnderWay } = ground;
  if (!isDeadOfAge && leftOf(mail, nowMs) > CLOCK_SKEW_MS) return { kind: "return" };
  const ended = outcomes.find(({ result }) => result.status !== "deferred");
  if (ended !== undefined) return { kind: "tell-outcome", outcome: ended };
  return isUnderWay ? { kind: "return" } : { kind: "end", attempt: outcomes.at(-1) };
}
