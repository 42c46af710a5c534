import { expect, it } from "vitest";
import type { TrackingPointName } from "./tracking-point.ts";
import { FOLLOWERS, TRACKING_POINTS, trackingPointSchema } from "./tracking-point.ts";

const names = Object.keys(TRACKING_POINTS) as TrackingPointName[];

it("lets nothing follow a FINISHED point, and something follow every other", () => {
  for (const name of names) {
    expect({ name, isEnd: FOLLOWERS[name].length === 0 }).toEqual({
      name,
      isEnd: TRACKING_POINTS[name].state === "FINISHED",
    });
  }
});

it("reaches every point from acceptance, and an end from every point", () => {
  const reached = new Set<string>(["ACCEPTED"]);
  for (const from of reached) for (const next of FOLLOWERS[from as TrackingPointName]) reached.add(next);
  expect([...reached].sort()).toEqual(["ACCEPTED", ...names].sort());
  for (const name of names.filter((item) => TRACKING_POINTS[item].state !== "FINISHED")) {
    expect(FOLLOWERS[name].map((next) => TRACKING_POINTS[next].state)).toContain("FINISHED");
  }
});

it("has every row of the table in its wire schema", () => {
  for (const name of names) expect(trackingPointSchema.safeParse(TRACKING_POINTS[name]).success).toBe(true);
});
