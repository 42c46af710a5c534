import { expect, it } from "vitest";
import type { AttemptResult } from "#shared/contracts/attempt.ts";
import { systemClock } from "#shared/clock.ts";
import { outcomeOf } from "#shared/life/outcome.ts";
import type { Place } from "./destination.ts";
import { Destination } from "./destination.ts";

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
