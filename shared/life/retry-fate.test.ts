import { describe, expect, it } from "vitest";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import { aMail, anAttempt, DEADLINE } from "#test/support/build-mail.ts";
import { decideDeferred, decideExpired, mayBeUnclaimed, needsLedger } from "./retry-fate.ts";
import { ladderOf } from "./ladder.ts";

const ladder = ladderOf([60_000, 300_000]);
const before = (ms: number): number => Date.parse(DEADLINE) - ms;
const deferred = (attempt = 1) => ({
  version: MESSAGE_VERSION as 1,
  mail: aMail({ attempt }),
  attempt: anAttempt({ attempt }),
});
const delivered = anAttempt({ attempt: 2, result: { status: "accepted", enhancedStatus: "2.0.0", text: "250 ok" } });

describe("a deferred mail", () => {
  it("waits as the ladder says", () => {
    expect(decideDeferred(deferred(), { ladder, nowMs: before(3_600_000) })).toMatchObject({
      kind: "retry",
      waitMs: 60_000,
    });
    expect(decideDeferred(deferred(2), { ladder, nowMs: before(3_600_000) })).toMatchObject({ waitMs: 300_000 });
  });

  it("ends with its last attempt's reason when no wait fits", () => {
    const message = deferred(7);
    expect(decideDeferred(message, { ladder, nowMs: before(59_000) })).toEqual({
      kind: "end",
      attempt: message.attempt,
    });
  });

  it("takes the same wait however often it is handled, for the time that a wait leaves", () => {
    const attempt = anAttempt({ attempt: 2, at: new Date(before(340_000)).toISOString(), durationMs: 5_000 });
    const waits = [335_000, 325_000, 305_000].map((leftMs) =>
      decideDeferred({ ...deferred(2), attempt }, { ladder, nowMs: before(leftMs) }),
    );
    expect(waits).toEqual(Array(3).fill({ kind: "retry", waitMs: 300_000, attempt }));
    expect(decideDeferred({ ...deferred(2), attempt }, { ladder, nowMs: before(304_000) })).toMatchObject({
      waitMs: 60_000,
    });
  });

  it("that only waited in a suspended lane is told so, and no attempt is counted", () => {
    const { attempt: _none, ...message } = { ...deferred(), waiting: "the relay is suspended" };
    expect(decideDeferred(message, { ladder, nowMs: before(3_600_000) })).toEqual({
      kind: "tell-waiting",
      waitMs: 60_000,
      text: "the relay is suspended",
    });
  });
});

describe("a suspect mail that no wait fits", () => {
  const ground = { ladder, nowMs: before(30_000) };

  it("asks the ledger before it ends, an ordinary one does not", () => {
    expect(needsLedger(deferred(), true, ground)).toBe(true);
    expect(needsLedger(deferred(), false, ground)).toBe(false);
    expect(needsLedger(deferred(), true, { ladder, nowMs: before(3_600_000) })).toBe(false);
  });

  it("tells the outcome of a copy", () => {
    expect(decideDeferred(deferred(), { ...ground, outcomes: [anAttempt(), delivered] })).toEqual({
      kind: "tell-outcome",
      outcome: delivered,
    });
  });

  it("leaves the end to a copy that is an attempt ahead", () => {
    const outcomes = [anAttempt(), anAttempt({ attempt: 2 })];
    expect(decideDeferred(deferred(), { ...ground, outcomes })).toEqual({ kind: "leave" });
  });

  it("asks again after the deadline while a copy may be on its way", () => {
    const outcomes = [anAttempt()];
    expect(decideDeferred(deferred(), { ...ground, outcomes })).toEqual({ kind: "ask-later", waitMs: 60_000 });
    expect(decideDeferred(deferred(), { ladder, nowMs: before(-1), outcomes })).toMatchObject({ kind: "end" });
    expect(decideDeferred(deferred(), { ladder, nowMs: before(-1), outcomes, isUnderWay: true })).toEqual({
      kind: "return",
    });
  });
});

describe("an expired mail", () => {
  it("ends with the reason of the last attempt", () => {
    const outcomes = [anAttempt(), anAttempt({ attempt: 2 })];
    expect(
      decideExpired(aMail({ attempt: 3 }), { isDeadOfAge: true, nowMs: before(-5), outcomes, isUnderWay: false }),
    ).toEqual({
      kind: "end",
      attempt: outcomes[1],
    });
  });

  it("that was never attempted ends without one", () => {
    expect(decideExpired(aMail(), { isDeadOfAge: true, nowMs: before(-5), outcomes: [], isUnderWay: false })).toEqual({
      kind: "end",
      attempt: undefined,
    });
  });

  it("that a copy was delivered of tells the delivery", () => {
    const ground = { isDeadOfAge: true, nowMs: before(-5), outcomes: [delivered], isUnderWay: true };
    expect(decideExpired(aMail({ attempt: 2 }), ground)).toEqual({ kind: "tell-outcome", outcome: delivered });
  });

  it("does not end while a copy may be at its final dot", () => {
    const ground = { isDeadOfAge: true, outcomes: [anAttempt()] };
    expect(decideExpired(aMail(), { ...ground, nowMs: before(-5), isUnderWay: true })).toEqual({ kind: "return" });
    expect(mayBeUnclaimed(aMail(), before(-3_999))).toBe(true);
    expect(mayBeUnclaimed(aMail(), before(-4_000))).toBe(false);
  });

  it("goes back when it is not over and did not die of age", () => {
    const ground = { isDeadOfAge: false, outcomes: [], isUnderWay: false };
    expect(decideExpired(aMail(), { ...ground, nowMs: before(60_000) })).toEqual({ kind: "return" });
    expect(decideExpired(aMail(), { ...ground, nowMs: before(1_000) })).toMatchObject({ kind: "end" });
  });
});
