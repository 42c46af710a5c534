import { pino } from "pino";
import { expect, it } from "vitest";
import type { ApiContext } from "./context.ts";
import { untilSeen } from "./tell-of-change.ts";

it("answers when services were told and have had the time to look, though the broker takes nothing", async () => {
  const steps: string[] = [];
  const context = {
    broker: { publish: async () => (steps.push("told"), Promise.reject(new Error("away"))) },
    clock: { sleep: async (ms: number) => void steps.push(`waited ${ms} ms`) },
    log: pino({ level: "silent" }),
  } as unknown as ApiContext;
  await untilSeen(context);
  expect(steps).toEqual(["told", "waited 500 ms"]);
});
