import fc from "fast-check";
import { expect, it } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";

it.each([
  ["90s", 90_000],
  ["5m", 300_000],
  ["48h", 172_800_000],
  ["30d", 2_592_000_000],
  ["250ms", 250],
  ["36500d", 3_153_600_000_000],
])("reads %s", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it.each(["", "5", "m", "-5m", "5 m", "1.5h", "0s", "5M", "1h30m", "36501d", "99999999d"])("refuses %j", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

it("reads back what it has written", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999_999 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
});
