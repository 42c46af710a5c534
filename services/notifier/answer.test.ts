import { describe, expect, it } from "vitest";
import { EndpointRefused, outcomeOfAnswer, outcomeOfError, parseRetryAfter } from "./answer.ts";
import { afterOutcome, healthy, limitOf, MOST_IN_FLIGHT } from "./health.ts";

const NOW = new Date("2026-11-24T10:00:00.000Z");

describe("an endpoint's answer", () => {
  it.each([
    [200, "delivered"],
    [202, "delivered"],
    [299, "delivered"],
    [301, "failed"],
    [307, "failed"],
    [400, "failed"],
    [401, "failed"],
    [404, "failed"],
    [410, "gone"],
    [429, "wait"],
    [500, "failed"],
    [503, "wait"],
  ])("of %i means %s", (status, kind) => {
    expect(outcomeOfAnswer({ status, retryAfter: undefined }, NOW)).toMatchObject({ kind, status });
  });

  it.each([
    ["7", 7_000],
    [" 7 ", 7_000],
    ["Tue, 24 Nov 2026 10:00:30 GMT", 30_000],
    ["Tue, 24 Nov 2026 09:00:00 GMT", 0],
    ["99999999", 86_400_000],
    ["soon", undefined],
    [undefined, undefined],
  ])("with Retry-After %s waits %s ms", (value, ms) => {
    expect(parseRetryAfter(value, NOW)).toBe(ms);
  });
});

describe("what goes wrong on the way", () => {
  const coded = (code: string) => Object.assign(new Error("boom"), { code });

  it.each([
    [coded("ECONNREFUSED"), "connection refused"],
    [coded("CERT_HAS_EXPIRED"), "TLS: the certificate has expired"],
    [coded("E_SOMETHING"), "no usable answer (E_SOMETHING)"],
    [new DOMException("late", "TimeoutError"), "no answer in time"],
    [
      new EndpointRefused("x leads to 10.0.0.1: a network that is refused"),
      "x leads to 10.0.0.1: a network that is refused",
    ],
    ["a text", "no usable answer (unknown)"],
  ])("%s is a failure without a status, in words", (error, reason) => {
    expect(outcomeOfError(error)).toEqual({ kind: "failed", status: 0, reason });
  });
});

describe("an endpoint's health", () => {
  const failed = { kind: "failed", status: 500, reason: "" } as const;
  const silent = { kind: "failed", status: 0, reason: "" } as const;
  const flight = { oldestMs: undefined, lastSuccessMs: 0, nowMs: 5_000 };

  it("is slowed by three failures in a row, or at once by no answer", () => {
    const once = afterOutcome(healthy(0), failed, 1);
    expect(once.state).toBe("open");
    expect(afterOutcome(afterOutcome(once, failed, 2), failed, 3)).toMatchObject({ state: "slowed", sinceMs: 3 });
    expect(afterOutcome(healthy(0), silent, 1).state).toBe("slowed");
  });

  it("is opened by a success", () => {
    const slowed = afterOutcome(healthy(0), silent, 1);
    expect(afterOutcome(slowed, { kind: "delivered", status: 200 }, 9)).toMatchObject({ state: "open", failures: 0 });
  });

  it("is off after 410, whatever comes after", () => {
    const off = afterOutcome(healthy(0), { kind: "gone", status: 410, reason: "" }, 1);
    expect(off.state).toBe("off");
    expect(afterOutcome(off, { kind: "delivered", status: 200 }, 2).state).toBe("off");
    expect(limitOf(off, flight)).toBe(0);
  });

  it("bounds what is in flight: less while it hangs, one while slowed, none before Retry-After", () => {
    expect(limitOf(healthy(0), flight)).toBe(MOST_IN_FLIGHT);
    expect(limitOf(healthy(0), { oldestMs: 3_000, lastSuccessMs: 3_000, nowMs: 5_000 })).toBe(2);
    expect(limitOf(healthy(0), { oldestMs: 3_000, lastSuccessMs: 4_500, nowMs: 5_000 })).toBe(MOST_IN_FLIGHT);
    expect(limitOf(afterOutcome(healthy(0), silent, 1), flight)).toBe(1);
    const asked = afterOutcome(healthy(0), { kind: "wait", status: 429, reason: "", retryAfterMs: 9_000 }, 1);
    expect(limitOf(asked, flight)).toBe(0);
    expect(limitOf(asked, { ...flight, nowMs: 9_001 })).toBe(1);
  });
});
