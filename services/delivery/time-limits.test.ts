import { expect, it } from "vitest";
import { DEFAULT_SMTP_TIMEOUTS } from "#shared/settings-schedules.ts";
import { limitOf } from "./time-limits.ts";

const NOW = 1_000_000;
const FAR = NOW + 1e9;
const limits = { timeouts: DEFAULT_SMTP_TIMEOUTS, totalMs: NOW + 1_200_000, deadlineMs: FAR };

it.each([
  ["connect", 30_000],
  ["greeting", 300_000],
  ["ehlo", 300_000],
  ["starttls", 300_000],
  ["auth", 300_000],
  ["mail", 300_000],
  ["rcpt", 300_000],
  ["data", 180_000],
  ["dot", 600_000],
] as const)("%s may take %i ms", (step, ms) => {
  expect(limitOf(step, limits, NOW)).toEqual({ atMs: NOW + ms, cause: "timeout" });
});

it("no step goes beyond the whole", () => {
  expect(limitOf("dot", { ...limits, totalMs: NOW + 5 }, NOW)).toEqual({ atMs: NOW + 5, cause: "timeout" });
});

it("ends at the mail's deadline, and 30 s after it once the dot is out", () => {
  const late = { ...limits, deadlineMs: NOW + 1_000 };
  expect(limitOf("rcpt", late, NOW)).toEqual({ atMs: NOW + 1_000, cause: "deadline" });
  expect(limitOf("dot", late, NOW)).toEqual({ atMs: NOW + 31_000, cause: "deadline" });
});
