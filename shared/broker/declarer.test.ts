import type { ChannelModel } from "amqplib";
import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { isRetriable } from "#shared/errors.ts";
import { Declarer } from "./declarer.ts";

it("counts a broker that refuses to be asked about a queue as one that is away, in the broker's words", async () => {
  const declarer = new Declarer(pino({ level: "silent" }), systemClock, () => undefined);
  const refusal = Object.assign(new Error("403 (ACCESS-REFUSED)"), { code: 403 });
  const channel = { on: () => undefined, checkQueue: () => Promise.reject(refusal) };
  declarer.attach({ createChannel: async () => channel } as unknown as ChannelModel);
  const error: unknown = await declarer.depth("router.due").catch((thrown: unknown) => thrown);
  expect(isRetriable(error)).toBe(true);
  expect(String(error)).toContain("403 (ACCESS-REFUSED)");
});
