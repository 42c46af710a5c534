// Settings that are lists of durations: the ladders, and the timeouts of an SMTP attempt (operator contract, Environment).
import { z } from "zod";
import { parseDuration } from "#shared/duration.ts";

/** The broker refuses a queue whose messages wait for more than 2^32 ms. */
const LONGEST_WAIT_MS = 49 * 86_400_000;

/** `1m,5m,15m`: milliseconds in order. */
export const durationsSchema = z.string().transform((text, context): readonly number[] => {
  const waits = text.split(",").map((item) => parseDuration(item));
  const isWait = (ms: number | undefined): ms is number => ms !== undefined && ms <= LONGEST_WAIT_MS;
  if (waits.every(isWait)) return waits;
  context.addIssue("durations separated by commas, e.g. 1m,5m,15m, each at most 49d");
  return z.NEVER;
});

export const SMTP_TIMEOUT_STEPS = ["connect", "greeting", "command", "data", "dot", "total"] as const;
/** Longest waits of a delivery attempt, in ms. */
export type SmtpTimeouts = Readonly<Record<(typeof SMTP_TIMEOUT_STEPS)[number], number>>;

export const DEFAULT_SMTP_TIMEOUTS: SmtpTimeouts = {
  connect: 30_000,
  greeting: 300_000,
  command: 300_000,
  data: 180_000,
  dot: 600_000,
  total: 1_200_000,
};

/** `connect=30s,total=20m`: the steps that are named, over the defaults. The whole is kept under the broker's 30 minutes. */
export const smtpTimeoutsSchema = z.string().transform((text, context): SmtpTimeouts => {
  const pairs = text.split(",").map((item) => item.trim().split("="));
  const steps = pairs.map(([step, value]) => ({
    step: SMTP_TIMEOUT_STEPS.find((name) => name === step),
    ms: parseDuration(value ?? ""),
  }));
  const given = steps.flatMap(({ step, ms }) => (step === undefined || ms === undefined ? [] : [[step, ms] as const]));
  if (given.length !== steps.length) {
    context.addIssue(`steps with durations, e.g. connect=30s,total=20m; steps: ${SMTP_TIMEOUT_STEPS.join(", ")}`);
    return z.NEVER;
  }
  const timeouts = { ...DEFAULT_SMTP_TIMEOUTS, ...Object.fromEntries(given) };
  if (timeouts.total > 1_500_000) {
    context.addIssue("total at most 25m: the broker takes a message back after 30 minutes");
    return z.NEVER;
  }
  return timeouts;
});
