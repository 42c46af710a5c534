import { expect, it } from "vitest";
import type { Outgoing } from "#shared/broker/actor.ts";
import { systemClock } from "#shared/clock.ts";
import { trackedMailOf } from "#shared/contracts/outgoing.ts";
import { makeEvent } from "#shared/contracts/make-event.ts";
import { aMail } from "#test/support/build-mail.ts";
import { createCollector } from "./collector.ts";

it("sends what it holds though the clock was set back by hours meanwhile", async () => {
  let nowMs = 100_000_000;
  let slept = 0;
  const sleep = async (ms: number): Promise<void> => {
    slept += ms;
    nowMs += ms - (slept === ms ? 7_200_000 : 0);
  };
  const published: Outgoing[] = [];
  const collector = createCollector({
    broker: { publish: (messages) => Promise.resolve(void published.push(...messages)) },
    clock: { ...systemClock, nowMs: () => nowMs, sleep },
    terms: { max: 100, lingerMs: 1_000, deadlineMs: 60_000, mostHeld: 100 },
  });
  const point = { point: "STARTED", attempt: 0, at: new Date(nowMs), record: { mails: 2 } } as const;
  await collector.add(makeEvent(trackedMailOf(aMail()), point), false);
  expect(published).toHaveLength(1);
  expect(slept).toBeLessThanOrEqual(1_000);
});

it("sends what it holds at once when the last mail of its job has ended", async () => {
  let nowMs = 100_000_000;
  const sleep = async (ms: number): Promise<void> => {
    // What comes in one turn is all that comes.
    await new Promise((resolve) => setImmediate(resolve));
    nowMs += ms;
  };
  const collector = createCollector({
    broker: { publish: () => Promise.resolve() },
    clock: { ...systemClock, nowMs: () => nowMs, sleep },
    terms: { max: 1_000, lingerMs: 1_000, deadlineMs: 60_000, mostHeld: 1_000 },
  });
  const tracked = trackedMailOf(aMail());
  const ends = Array.from({ length: 500 }, (_mail, index) =>
    makeEvent(
      { ...tracked, mailId: `mail ${index}` },
      { point: "DELIVERED", attempt: 1, at: new Date(), record: { mails: 500 } },
    ),
  );
  await Promise.all(ends.map((end) => collector.add(end, false)));
  expect(nowMs).toBe(100_000_000);
});
