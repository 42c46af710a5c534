import { expect, it } from "vitest";
import type { LaneHealth } from "#shared/contracts/relay-health.ts";
import { mergeHealth } from "./lane-states.ts";

const lane = "delivery.relay.acme.example.com";
const ACTIVE: LaneHealth = { lane, state: "active", inFlight: 2, lastResponse: "250 ok" };
const SUSPENDED: LaneHealth = {
  lane,
  state: "suspended",
  inFlight: 1,
  since: "2026-08-01T12:00:00.000Z",
  reason: "connection refused",
};

it("takes a lane that nobody speaks of as active and empty", () => {
  expect(mergeHealth([], false)).toEqual({ inFlight: 0, state: "active" });
});

it("adds up what the replicas have in flight", () => {
  expect(mergeHealth([ACTIVE, ACTIVE], false)).toEqual({ inFlight: 4, state: "active", lastResponse: "250 ok" });
});

it("tells of a suspension in one replica, with its reason and since when", () => {
  expect(mergeHealth([ACTIVE, SUSPENDED], false)).toEqual({
    inFlight: 3,
    state: "suspended",
    since: "2026-08-01T12:00:00.000Z",
    reason: "connection refused",
    lastResponse: "250 ok",
  });
});

it("tells of an operator's hold before anything else", () => {
  expect(mergeHealth([SUSPENDED], true).state).toBe("held");
});
