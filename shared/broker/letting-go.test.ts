import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createLetGoLog } from "./letting-go.ts";

it("names each exchange and queue that refuses, however often another one does", () => {
  let nowMs = 0;
  const said: unknown[] = [];
  const log = pino({}, { write: (line) => void said.push((JSON.parse(line) as { routingKey: unknown }).routingKey) });
  const letGo = createLetGoLog({ ...systemClock, nowMs: () => nowMs }, log);
  const message = { type: "event", body: {} };
  letGo({ ...message, exchange: "waypost.events", routingKey: "acme.STARTED" });
  letGo({ ...message, exchange: "waypost.events", routingKey: "acme.FINISHED" });
  letGo({ ...message, exchange: "", routingKey: "app.replies" });
  expect(said).toEqual(["acme.STARTED", "app.replies"]);
  nowMs = 10_000;
  letGo({ ...message, exchange: "", routingKey: "app.replies" });
  expect(said).toEqual(["acme.STARTED", "app.replies", "app.replies"]);
});
