// What the board knows of one endpoint, and what follows from it: whether there is room, whether waiting is worth while.
import type { EndpointAnswer, EndpointState } from "#shared/store/endpoints.ts";
import { displayUrl, endpointKey } from "#shared/store/endpoints.ts";
import type { PostOutcome } from "./answer.ts";
import type { EndpointDetails } from "./endpoint.ts";
import type { Flight, Health } from "./health.ts";
import { healthy, isHanging, limitOf } from "./health.ts";
import type { Pace } from "./pace.ts";
import { createPace } from "./pace.ts";

export interface Turn {
  /** Gives the turn back with what came of it. */
  end(outcome: PostOutcome): void;
}

export type Admission =
  | { kind: "turn"; turn: Turn }
  /** Not now; nothing will go to it for about `expectedMs`. */
  | { kind: "parked"; reason: string; expectedMs: number };

interface Waiting {
  sinceMs: number;
  enter(isAdmitted: boolean): void;
}

export interface Entry {
  key: string;
  account: string;
  url: string;
  health: Health;
  inFlight: Map<symbol, number>;
  waiting: Waiting[];
  lastSuccessMs: number;
  lastAnswer: EndpointAnswer | undefined;
  pace: Pace;
  isJobs: boolean;
  /** What is to be told the store, counted; and up to which of it the store was told. */
  changes: number;
  savedChanges: number;
  savedMs: number;
  /** When the store was last asked what others say of it. */
  lookedMs: number;
  looking: Promise<void> | undefined;
}

export function entryOf(details: EndpointDetails, nowMs: number): Entry {
  return {
    key: endpointKey(details.account, details.url),
    account: details.account,
    url: displayUrl(details.url),
    health: healthy(nowMs),
    inFlight: new Map(),
    waiting: [],
    lastSuccessMs: 0,
    lastAnswer: undefined,
    pace: createPace(),
    isJobs: false,
    changes: 0,
    savedChanges: 0,
    savedMs: 0,
    lookedMs: -Infinity,
    looking: undefined,
  };
}

/** The store does not know yet what became of it here. */
export function isChanged({ changes, savedChanges }: Entry): boolean {
  return changes > savedChanges;
}

function flightOf(entry: Entry, nowMs: number): Flight {
  const [oldestMs] = entry.inFlight.values();
  return { oldestMs, lastSuccessMs: entry.lastSuccessMs, nowMs };
}

/** How many more POSTs may begin. */
export function roomOf(entry: Entry, nowMs: number): number {
  return limitOf(entry.health, flightOf(entry, nowMs)) - entry.inFlight.size;
}

/** Whether a turn will come soon: it is open, and answers. */
export function isWorthWaiting(entry: Entry, nowMs: number): boolean {
  return entry.health.state === "open" && !isHanging(flightOf(entry, nowMs));
}

export interface Bound {
  reason: string;
  /** Of all that is posted within it. */
  pace: Pace;
}

export function parkedFor(entry: Entry, nowMs: number, bound?: Bound): Admission {
  const { reason: atBound, pace } = bound ?? { reason: "the endpoint is at its bound", pace: entry.pace };
  const { state, sinceMs, untilMs } = entry.health;
  const backlogMs = pace.notePark(nowMs);
  const troubleMs = state === "open" ? 0 : (nowMs - sinceMs) / 2;
  const answer = entry.lastAnswer?.error;
  const trouble = `the endpoint is ${state}${answer === undefined ? "" : `: ${answer}`}`;
  const reason = state === "open" ? atBound : trouble;
  return { kind: "parked", reason, expectedMs: Math.max(backlogMs, troubleMs, untilMs - nowMs) };
}

export function stateOf(entry: Entry, expiresAt: Date): EndpointState {
  const { state, sinceMs, untilMs } = entry.health;
  return {
    _id: entry.key,
    account: entry.account,
    url: entry.url,
    state,
    since: new Date(sinceMs),
    ...(untilMs === 0 ? {} : { until: new Date(untilMs) }),
    ...(entry.lastAnswer === undefined ? {} : { lastAnswer: entry.lastAnswer }),
    ...(entry.isJobs ? { expiresAt } : {}),
  };
}

/** Lets in whoever waits, as far as there is room. */
export function admitWaiting(entry: Entry, nowMs: number): void {
  while (entry.waiting.length > 0 && roomOf(entry, nowMs) > 0) entry.waiting.shift()?.enter(true);
}
