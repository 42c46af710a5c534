import { describe, expect, it } from "vitest";
import { outcomeOf } from "#shared/life/outcome.ts";
import type { BreakerState } from "./breaker.ts";
import {
  CLOSED,
  connectionsOf,
  faultOf,
  onFault,
  onProbeFault,
  onSuccess,
  onToldSuspended,
  resumed,
} from "./breaker.ts";

const FAULT = { reason: "connection refused" };
const NOW = 1_000_000;

function faulted(times: number, from: BreakerState = CLOSED, nowMs = NOW): BreakerState {
  return Array.from({ length: times }).reduce<BreakerState>((state) => onFault(state, FAULT, nowMs), from);
}

describe("a breaker", () => {
  it("suspends at the fifth fault in a row, and says why and since when", () => {
    expect(faulted(4).suspension).toBeUndefined();
    expect(faulted(5).suspension).toMatchObject({
      sinceMs: NOW,
      reason: "connection refused",
      nextProbeMs: NOW + 1000,
    });
  });

  it("does not suspend where a success stands between the faults", () => {
    expect(faulted(4, onSuccess(faulted(4), 10, NOW)).suspension).toBeUndefined();
  });

  it("probes after 1, 2, 4 … 60 s", () => {
    let state = faulted(5);
    const delays = [state.suspension?.probeDelayMs];
    for (let probe = 0; probe < 8; probe += 1) {
      state = onProbeFault(state, FAULT, state.suspension?.nextProbeMs ?? 0);
      delays.push(state.suspension?.probeDelayMs);
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it("does not count the faults of attempts that were under way at the suspension", () => {
    const state = faulted(5);
    expect(faulted(20, state, NOW + 5_000)).toBe(state);
  });

  it("resumes at the first success with a quarter of the connections, doubling each 10 successes", () => {
    let state = onSuccess(faulted(5), 40, NOW);
    expect(state.suspension).toBeUndefined();
    const seen = [connectionsOf(state, 40)];
    for (let success = 0; success < 20; success += 1) {
      state = onSuccess(state, 40, NOW);
      seen.push(connectionsOf(state, 40));
    }
    expect([seen[0], seen[9], seen[10], seen[19], seen[20]]).toEqual([10, 10, 20, 20, 40]);
  });

  it("resumes a relay of one connection with that one", () => {
    expect(connectionsOf(onSuccess(faulted(5), 1, NOW), 1)).toBe(1);
  });

  it("lets one connection probe while it is suspended", () => {
    expect(connectionsOf(faulted(5), 40)).toBe(1);
  });

  it("follows another replica's suspension, unless it has had a success since", () => {
    const told = { ...FAULT, sinceMs: NOW };
    expect(onToldSuspended(CLOSED, told, NOW).suspension).toBeDefined();
    expect(onToldSuspended(onSuccess(CLOSED, 10, NOW + 1), told, NOW + 2).suspension).toBeUndefined();
    expect(onToldSuspended(onSuccess(CLOSED, 10, NOW - 1), told, NOW + 2).suspension).toBeDefined();
  });

  it("comes back when told so", () => {
    expect(connectionsOf(resumed(faulted(5), 8, NOW), 8)).toBe(2);
  });
});

describe("what mails of others are told of a fault", () => {
  const reply = { code: 421, enhanced: undefined, text: "421 <ada@example.com>: too many mails" };

  it.each(["mail", "rcpt", "data", "dot"] as const)("is no reply to %s, which may name an address", (step) => {
    const fault = faultOf(outcomeOf({ kind: "reply", step, reply }));
    expect(fault).toEqual({ reason: `421 4.3.2 in reply to ${step}`, response: reply.text });
  });

  it("is what the server said to anybody, or what was met instead", () => {
    const greeting = { ...reply, text: "421 closing" };
    expect(faultOf(outcomeOf({ kind: "reply", step: "greeting", reply: greeting }))?.reason).toBe("421 closing");
    const refused = { kind: "local", step: "connect", cause: "connect-refused", detail: "refused" } as const;
    expect(faultOf(outcomeOf(refused))).toEqual({ reason: "refused" });
  });

  it("is nothing where the fault is the mail's", () => {
    expect(faultOf(outcomeOf({ kind: "reply", step: "rcpt", reply: { ...reply, code: 450 } }))).toBeUndefined();
  });
});
