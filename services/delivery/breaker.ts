// A breaker as plain data (design, Delivery): five faults in a row suspend, single probes after 1, 2, 4 … 60 s,
// the first success resumes with a quarter of the connections, doubling each 10 successes.

import type { AttemptResult } from "#shared/contracts/attempt.ts";
import { TRANSACTION_STEPS } from "#shared/life/outcome.ts";

export const FAULTS_TO_SUSPEND = 5;
export const FIRST_PROBE_MS = 1_000;
export const LONGEST_PROBE_MS = 60_000;
const SUCCESSES_TO_DOUBLE = 10;

export interface Fault {
  reason: string;
  /** What the relay said last, where it said something. */
  response?: string | undefined;
}

export interface Suspension {
  sinceMs: number;
  reason: string;
  lastResponse?: string | undefined;
  probeDelayMs: number;
  nextProbeMs: number;
}

export interface BreakerState {
  faults: number;
  lastSuccessMs: number;
  /** Connections that may be used while the relay comes back; undefined: all. */
  allowance: number | undefined;
  /** Successes since the allowance last grew. */
  successes: number;
  suspension: Suspension | undefined;
}

export const CLOSED: BreakerState = {
  faults: 0,
  lastSuccessMs: 0,
  allowance: undefined,
  successes: 0,
  suspension: undefined,
};

/**
 * What a result says against its destination, if it does. The reason is told with mails of others, on the default route of
 * other accounts too: a reply to MAIL, or to what comes after it, may name the sender and the recipient of its own mail.
 */
export function faultOf(result: AttemptResult): Fault | undefined {
  const { status, blame, origin, step, text } = result;
  if (status !== "deferred" || blame === "mail") return undefined;
  if (origin !== "remote") return { reason: text };
  const isOfMail = step !== undefined && TRANSACTION_STEPS.includes(step);
  const reason = isOfMail ? `${result.replyCode} ${result.enhancedStatus} in reply to ${step}` : text;
  return { reason, response: text };
}

function suspended(state: BreakerState, fault: Fault, nowMs: number): BreakerState {
  const suspension: Suspension = {
    sinceMs: nowMs,
    reason: fault.reason,
    lastResponse: fault.response,
    probeDelayMs: FIRST_PROBE_MS,
    nextProbeMs: nowMs + FIRST_PROBE_MS,
  };
  return { ...state, faults: FAULTS_TO_SUSPEND, allowance: undefined, successes: 0, suspension };
}

/** A fault of the connection or the set-up. Those of attempts that were under way at the suspension change nothing. */
export function onFault(state: BreakerState, fault: Fault, nowMs: number): BreakerState {
  if (state.suspension !== undefined) return state;
  const faults = state.faults + 1;
  return faults >= FAULTS_TO_SUSPEND ? suspended(state, fault, nowMs) : { ...state, faults };
}

/** A probe that failed: the next one comes later. */
export function onProbeFault(state: BreakerState, fault: Fault, nowMs: number): BreakerState {
  const { suspension } = state;
  if (suspension === undefined) return onFault(state, fault, nowMs);
  const probeDelayMs = Math.min(suspension.probeDelayMs * 2, LONGEST_PROBE_MS);
  return {
    ...state,
    suspension: {
      ...suspension,
      reason: fault.reason,
      lastResponse: fault.response ?? suspension.lastResponse,
      probeDelayMs,
      nextProbeMs: nowMs + probeDelayMs,
    },
  };
}

/** The relay took part in a transaction, whatever it said of the mail. */
export function onSuccess(state: BreakerState, connections: number, nowMs: number): BreakerState {
  if (state.suspension !== undefined) return resumed(state, connections, nowMs);
  if (state.allowance === undefined) return { ...state, faults: 0, lastSuccessMs: nowMs };
  const successes = state.successes + 1;
  if (successes < SUCCESSES_TO_DOUBLE) return { ...state, faults: 0, successes, lastSuccessMs: nowMs };
  const doubled = state.allowance * 2;
  const allowance = doubled >= connections ? undefined : doubled;
  return { ...state, faults: 0, successes: 0, lastSuccessMs: nowMs, allowance };
}

/** Back with a quarter of the connections: after a success of our own, or told by another replica. */
export function resumed(state: BreakerState, connections: number, nowMs: number): BreakerState {
  const quarter = Math.max(1, Math.ceil(connections / 4));
  const allowance = quarter >= connections ? undefined : quarter;
  return { ...state, faults: 0, successes: 0, lastSuccessMs: nowMs, allowance, suspension: undefined };
}

/** One that is further off than it was put was so before the clock was set back. */
export function isProbeDue({ nextProbeMs, probeDelayMs }: Suspension, nowMs: number): boolean {
  return nowMs >= nextProbeMs || nextProbeMs - nowMs > probeDelayMs;
}

/** Another replica says that it has suspended the lane. A success of our own since then weighs more. */
export function onToldSuspended(state: BreakerState, told: Fault & { sinceMs: number }, nowMs: number): BreakerState {
  if (state.suspension !== undefined || state.lastSuccessMs > told.sinceMs) return state;
  return suspended(state, told, nowMs);
}

export function connectionsOf(state: BreakerState, connections: number): number {
  if (state.suspension !== undefined) return 1;
  return Math.min(state.allowance ?? connections, connections);
}
