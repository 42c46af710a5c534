import { expect, it, onTestFinished, vi } from "vitest";
import type { AttemptResult } from "#shared/contracts/attempt.ts";
import { systemClock } from "#shared/clock.ts";
import { outcomeOf } from "#shared/life/outcome.ts";
import type { Place } from "./destination.ts";
import { Destination } from "./destination.ts";

const SUCCESS: AttemptResult = outcomeOf({
  kind: "reply",
  step: "dot",
  reply: { code: 250, enhanced: undefined, text: "ok" },
});
const FAULT: AttemptResult = outcomeOf({
  kind: "local",
  step: "connect",
  cause: "connect-timeout",
  detail: "no answer",
});

async function enter(destination: Destination): Promise<Place> {
  const place = await destination.enter("interactive");
  if (place === "put-back") throw new Error("not let in");
  return place;
}

it("what was under way at the suspension neither puts the next probe off nor lets in a second one", async () => {
  let nowMs = 1_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const destination = new Destination({ clock, connections: () => 10, onChange: () => undefined });
  const first = await enter(destination);
  const second = await enter(destination);
  for (let fault = 0; fault < 5; fault += 1) (await enter(destination)).report(FAULT);
  expect(destination.isSuspended).toBe(true);
  nowMs += 1_500;
  first.report(FAULT);
  first.leave();
  const probe = await enter(destination);
  second.report(FAULT);
  second.leave();
  expect(await destination.enter("interactive")).toBe("put-back");
  probe.report(FAULT);
  probe.leave();
  expect(destination.breaker.suspension?.nextProbeMs).toBe(nowMs + 2_000);
});

it("holds two places of the default route until something has succeeded, and after ten minutes without", async () => {
  let nowMs = 1_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const destination = new Destination({ clock, connections: () => 10, unproven: 2, onChange: () => undefined });
  expect(destination.connections).toBe(2);
  (await enter(destination)).report(SUCCESS);
  expect(destination.connections).toBe(10);
  nowMs += 600_001;
  expect(destination.connections).toBe(2);
});

it("lets nobody wait for a destination of which nothing comes back", async () => {
  vi.useFakeTimers();
  let nowMs = 1_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const destination = new Destination({ clock, connections: () => 1, onChange: () => undefined });
  const waits = async (): Promise<boolean> => {
    let isOver = false;
    void destination.enter("interactive", 1_000).then(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(1);
    return !isOver;
  };
  const place = await enter(destination);
  expect(await waits()).toBe(true);
  nowMs += 30_001;
  expect(await waits()).toBe(false);
  place.report(SUCCESS);
  expect(await waits()).toBe(true);
  vi.useRealTimers();
});

it("lets a probe in though the clock was set back by hours since its suspension", async () => {
  let nowMs = 100_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const destination = new Destination({ clock, connections: () => 10, onChange: () => undefined });
  for (let fault = 0; fault < 5; fault += 1) (await enter(destination)).report(FAULT);
  expect(await destination.enter("interactive")).toBe("put-back");
  nowMs -= 7_200_000;
  expect(await destination.enter("interactive")).not.toBe("put-back");
});

it("stays open after an operator's resume, though a replica that has not heard of it still tells of the suspension", async () => {
  let nowMs = 1_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const destination = new Destination({ clock, connections: () => 10, onChange: () => undefined });
  const told = { reason: "refused", sinceMs: nowMs };
  destination.told(told);
  expect(destination.isSuspended).toBe(true);
  nowMs += 60_000;
  destination.reset();
  destination.told(told);
  expect(destination.isSuspended).toBe(false);
  destination.told({ ...told, sinceMs: nowMs + 1 });
  expect(destination.isSuspended).toBe(true);
});

it("sends back who waits where no outcome is written for 15 s, once for all places, and nobody while some are", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const destination = new Destination({ clock: systemClock, connections: () => 2, onChange: () => undefined });
  const places = [await enter(destination), await enter(destination)];
  const written: (() => void)[] = [destination.beginRecord()];
  await vi.advanceTimersByTimeAsync(10_000);
  written.push(destination.beginRecord());
  const first = destination.enter("interactive");
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await first).toBe("put-back");
  const second = destination.enter("interactive");
  await vi.advanceTimersByTimeAsync(14_000);
  written[0]?.();
  places[0]?.leave();
  expect(await second).not.toBe("put-back");
  const third = destination.enter("interactive");
  await vi.advanceTimersByTimeAsync(14_000);
  written[1]?.();
  expect(vi.getTimerCount()).toBe(0);
  places[1]?.leave();
  expect(await third).not.toBe("put-back");
});
