import { expect, it } from "vitest";
import type { Consumption } from "#shared/broker/actor.ts";
import { systemClock } from "#shared/clock.ts";
import { outcomeOf } from "#shared/life/outcome.ts";
import type { LanePorts } from "./lane-runner.ts";
import { LaneRunner } from "./lane-runner.ts";

const REFUSED = outcomeOf({ kind: "local", step: "connect", cause: "connect-refused", detail: "refused" });
const MANY = 2_000;

async function suspend(runner: LaneRunner, domain: string): Promise<void> {
  const destination = runner.destination(domain);
  for (let fault = 0; fault < 5; fault += 1) {
    const place = await destination.enter("interactive");
    if (place === "put-back") continue;
    place.report(REFUSED);
    place.leave();
  }
}

it("forgets suspended domains that nothing was sent to for an hour, once there are many", async () => {
  let nowMs = 1_000_000;
  const ports = {
    broker: { startPaused: () => ({}) as Consumption },
    clock: { ...systemClock, nowMs: () => nowMs },
    log: { info: () => undefined, warn: () => undefined },
    configuration: () => undefined,
  } as unknown as LanePorts;
  const runner = new LaneRunner({ kind: "mx", name: "delivery.mx.0", shard: 0 }, ports);
  for (let index = 0; index < MANY; index += 1) await suspend(runner, `d${index}.example`);
  nowMs += 3_000_000;
  await suspend(runner, "recent.example");
  expect(runner.destination("d0.example").isSuspended).toBe(true);
  nowMs += 1_000_000;
  runner.destination("another.example");
  expect(runner.destination("recent.example").isSuspended).toBe(true);
  expect(runner.destination("d1.example").isSuspended).toBe(false);
});
