import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { systemClock } from "#shared/clock.ts";
import type { Attempt } from "#shared/contracts/attempt.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import { aMail, anAttempt } from "#test/support/build-mail.ts";
import { LONGEST_MS, Outcomes } from "./outcomes.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const mail = aMail();
const key = { mailId: mail.mailId, attempt: mail.attempt };
const outcome = anAttempt();

function setUp(failure: { error: Error | undefined }): { outcomes: Outcomes; written: string[] } {
  const written: string[] = [];
  const record = async ({ mailId }: { mailId: string }, made: Attempt): Promise<Attempt> => {
    if (failure.error !== undefined) throw failure.error;
    written.push(mailId);
    return made;
  };
  const clock = systemClock;
  return { outcomes: new Outcomes({ ledger: { record }, clock, steady: clock }), written };
}

it("an outcome that cannot be written keeps its mail in hand until it can, and is known meanwhile", async () => {
  const failure: { error: Error | undefined } = { error: new StoreUnavailable("away") };
  const { outcomes, written } = setUp(failure);
  let isDone = false;
  const recording = outcomes.record(mail, outcome).then(() => (isDone = true));
  await vi.advanceTimersByTimeAsync(60_000);
  expect([isDone, outcomes.unrecorded(key)]).toEqual([false, outcome]);
  failure.error = undefined;
  await vi.advanceTimersByTimeAsync(1_000);
  await recording;
  expect(written).toEqual([mail.mailId]);
  expect(outcomes.unrecorded(key)).toBeUndefined();
});

it("gives its mail back after minutes, and still knows the outcome", async () => {
  const { outcomes } = setUp({ error: new StoreUnavailable("away") });
  const failed = outcomes.record(mail, outcome).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(LONGEST_MS + 1_000);
  expect(await failed).toBeInstanceOf(StoreUnavailable);
  expect(outcomes.unrecorded(key)).toEqual(outcome);
});

it("gives its mail back before the broker takes it, however long the attempt took", async () => {
  const { outcomes } = setUp({ error: new StoreUnavailable("away") });
  const attemptMs = 1_200_000;
  const failed = outcomes.record(mail, { ...outcome, durationMs: attemptMs }).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1_800_000 - attemptMs);
  expect(await failed).toBeInstanceOf(StoreUnavailable);
});

it("does not try again what is no fault of the database", async () => {
  const { outcomes } = setUp({ error: new TypeError("broken") });
  await expect(outcomes.record(mail, outcome)).rejects.toThrow("broken");
});

it("gives its mail back when the process ends", async () => {
  const { outcomes } = setUp({ error: new StoreUnavailable("away") });
  const failed = outcomes.record(mail, outcome).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1_000);
  outcomes.giveUp();
  expect(await failed).toBeInstanceOf(StoreUnavailable);
});
