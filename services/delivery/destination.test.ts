import { expect, it } from "vitest";
import type { AttemptResult } from "#shared/contracts/attempt.ts";
import { systemClock } from "#shared/clock.ts";
import { outcomeOf } from "#shared/life/outcome.ts";
import { Destination } from "./destination.ts";

const FAULT: AttemptResult = outcomeOf({
  kind: "local",
  step: "connect",
  cause: "connect-timeout",
  detail: "no answer",
});

it("what was under way at the suspension neither puts the next probe off nor lets in a second one", async () => {
  let nowMs = 1_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const destination = new Destination({ clock, connections: () => 10, onChange: () => undefined });
  for (let attempt = 0; attempt < 7; attempt += 1) expect(await destination.enter("interactive")).toBe("go");
  for (let fault = 0; fault < 5; fault += 1) destination.report(FAULT, false);
  nowMs += 1_500;
  destination.report(FAULT, false);
  destination.leave(false);
  expect(await destination.enter("interactive")).toBe("probe");
  destination.report(FAULT, false);
  destination.leave(false);
  expect(await destination.enter("interactive")).toBe("put-back");
  destination.report(FAULT, true);
  destination.leave(true);
  expect(destination.breaker.suspension?.nextProbeMs).toBe(nowMs + 2_000);
});
