import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pushNotificationSchema } from "#shared/contracts/push-notification.ts";
import { ladderOf } from "#shared/life/ladder.ts";
import { readScript } from "./script.ts";
import type { Simulation } from "./simulate.ts";
import { simulate } from "./simulate.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.parse("2026-01-01T00:00:00.000Z");
const LADDER = [1, 5, 15, 30, 60, 120, 240].map((minutes) => minutes * MINUTE);

function play(
  text: string,
  more: { relay?: string; deadlineMs?: number } = { relay: "relay.example.com" },
): Simulation {
  const read = readScript(text);
  if (!read.ok) throw new Error(read.problem);
  return simulate({
    script: read.script,
    ladder: ladderOf(LADDER),
    deadlineMs: more.deadlineMs ?? 48 * HOUR,
    startMs: START,
    account: "acme",
    from: "info@example.com",
    to: "someone@example.net",
    relay: more.relay,
    batches: { max: 100, lingerMs: 1_000 },
  });
}

const minutesOf = ({ attempts }: Simulation) => attempts.map(({ at }) => Math.floor((Date.parse(at) - START) / MINUTE));
const told = ({ trackingPoints }: Simulation) =>
  trackingPoints.map(({ meta }) => `${meta.event.type}/${meta.event.subType}`);

describe("a simulated mail", () => {
  it("is deferred up the ladder for as long as the relay says 421, and bounces at its 550", () => {
    const simulation = play("421 for 3 h, then 550");
    expect(minutesOf(simulation)).toEqual([0, 1, 6, 21, 51, 111, 231]);
    expect(told(simulation)).toEqual([
      "STARTED/PROCESSING_STARTED",
      "PROCESSED/PROCESSING_FINISHED",
      ...Array.from({ length: 6 }, () => "DEFERRED/SOFT_BOUNCE"),
      "BOUNCED/HARD_BOUNCE",
    ]);
    expect(simulation.trackingPoints.at(-1)?.content?.smtp).toMatchObject({
      responseCode: "550",
      relay: "relay.example.com",
      dsn: "5.2.0",
    });
  });

  it("ends as a soft bounce with the last reply where nothing else comes until the deadline", () => {
    const simulation = play("451 4.7.1 greylisted", {});
    const last = simulation.attempts.at(-1);
    expect(START + 48 * HOUR - Date.parse(last?.at ?? "")).toBeLessThanOrEqual(MINUTE);
    expect(told(simulation).at(-1)).toBe("BOUNCED/SOFT_BOUNCE");
    expect(simulation.trackingPoints.at(-1)?.content?.smtp).toEqual({
      responseCode: "451",
      reason: "bounced (host mx.example.net said: 451 4.7.1 greylisted)",
      dsn: "4.7.1",
    });
  });

  it("marks an attempt whose final dot was not answered", () => {
    const [first, second] = play("timeout 1 time, 250").attempts;
    expect(first?.result).toMatchObject({ status: "deferred", uncertain: true });
    expect(second?.result).toMatchObject({ status: "accepted" });
  });

  it("is told in POSTs that hold what comes together", () => {
    const { notifications } = play("451 2 times, 250");
    expect(notifications.map(({ push }) => push.notifications.map(({ meta }) => meta.event.type))).toEqual([
      ["STARTED", "PROCESSED", "DEFERRED"],
      ["DEFERRED"],
      ["DELIVERED"],
    ]);
    for (const { push } of notifications) expect(pushNotificationSchema.safeParse(push).success).toBe(true);
  });

  it("comes to one end within its time, whatever the relay does, and every point is told once", () => {
    const what = fc.constantFrom(
      "421",
      "451",
      "450 at data",
      "550 at mail",
      "554 at greeting",
      "250",
      "down",
      "timeout",
      "dns-unavailable",
    );
    const howLong = fc.oneof(
      fc.constant(""),
      fc.integer({ min: 1, max: 9 }).map((times) => ` ${times} times`),
      fc.integer({ min: 1, max: 200 }).map((minutes) => ` for ${minutes}m`),
    );
    const phase = fc.tuple(what, howLong).map((parts) => parts.join(""));
    const deadline = fc.integer({ min: 1, max: 3_000 }).map((minutes) => minutes * MINUTE);
    fc.assert(
      fc.property(fc.array(phase, { minLength: 1, maxLength: 5 }), deadline, (phases, deadlineMs) => {
        const simulation = play(phases.join(", "), { deadlineMs });
        const states = simulation.trackingPoints.map(({ meta }) => meta.event.state);
        expect(states.indexOf("FINISHED")).toBe(states.length - 1);
        const times = simulation.attempts.map(({ at }) => Date.parse(at));
        expect(Math.max(...times)).toBeLessThan(START + deadlineMs);
        const tags = simulation.notifications.flatMap(({ push }) => push.notifications.map(({ meta }) => meta.tag));
        expect(new Set(tags).size).toBe(tags.length);
        expect(tags).toEqual(simulation.trackingPoints.map(({ meta }) => meta.tag));
      }),
    );
  });
});
