import { expect, it } from "vitest";
import { Lasting, LASTING_MS, MOST_IN_HAND } from "./lasting.ts";

const PREFETCH = 100;

function begin(lasting: Lasting, count: number, nowMs: number): (() => void)[] {
  return Array.from({ length: count }, () => lasting.begin(nowMs));
}

it("takes in others once half of what a mailbox may hold lasts", () => {
  const lasting = new Lasting(PREFETCH);
  begin(lasting, 50, 0);
  expect(lasting.isRefillDue(LASTING_MS - 1)).toBe(false);
  expect(lasting.isRefillDue(LASTING_MS)).toBe(true);
});

it("leaves it at what it holds while mails come and go, however many", () => {
  const lasting = new Lasting(PREFETCH);
  for (const end of begin(lasting, 51, 0)) end();
  begin(lasting, 49, 0);
  begin(lasting, 51, 1);
  expect(lasting.isRefillDue(LASTING_MS)).toBe(false);
});

it("does not take in others twice for the same ones", () => {
  const lasting = new Lasting(PREFETCH);
  begin(lasting, PREFETCH, 0);
  expect(lasting.isRefillDue(LASTING_MS)).toBe(true);
  begin(lasting, 49, LASTING_MS + 1);
  expect(lasting.isRefillDue(3 * LASTING_MS)).toBe(false);
  begin(lasting, 1, LASTING_MS + 1);
  expect(lasting.isRefillDue(3 * LASTING_MS)).toBe(true);
});

it("never holds more than a thousand", () => {
  const lasting = new Lasting(PREFETCH);
  let held = 0;
  for (let nowMs = 0; nowMs < 1_000 * LASTING_MS; nowMs += LASTING_MS) {
    if (nowMs > 0 && !lasting.isRefillDue(nowMs)) break;
    begin(lasting, PREFETCH, nowMs + 1);
    held += PREFETCH;
    nowMs += LASTING_MS;
  }
  expect(held).toBe(MOST_IN_HAND);
});
