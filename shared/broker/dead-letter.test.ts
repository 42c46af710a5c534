import type { ConsumeMessage } from "amqplib";
import { expect, it } from "vitest";
import { deadLetterOf, replayOf } from "./dead-letter.ts";

const raw: ConsumeMessage = {
  content: Buffer.from('{"n":1}\nbody'),
  fields: { deliveryTag: 1, redelivered: true, exchange: "waypost.due", routingKey: "lane", consumerTag: "c" },
  properties: {
    type: "mail",
    messageId: "m",
    headers: { "x-death": [{ count: 1 }], large: "x".repeat(100_000) },
  } as object as ConsumeMessage["properties"],
};

it("carries what the message was like as data, bounded, and nothing of it as headers of its own", () => {
  const letter = deadLetterOf(raw, "router.due", `why ${"y".repeat(5_000)}`);
  expect(letter).toMatchObject({ exchange: "waypost.dead", routingKey: "router.due", type: "mail", messageId: "m" });
  expect(letter.raw).toBe(raw.content);
  expect(Object.keys(letter.headers ?? {})).toEqual([
    "waypost-dead-reason",
    "waypost-dead-queue",
    "waypost-dead-properties",
  ]);
  expect(letter.headers?.["waypost-dead-reason"]).toHaveLength(1_000);
  expect(letter.headers?.["waypost-dead-properties"]?.length).toBeLessThan(32 * 1_024);
});

it("is replayed to its queue alone, as suspect, without the broker's headers", () => {
  const replay = replayOf({
    queue: "router.due",
    type: "mail",
    headers: { "x-death": [], traceparent: "00-a", "waypost-record": "{}" },
    body: raw.content,
  });
  expect(replay).toEqual({
    exchange: "",
    routingKey: "router.due",
    type: "mail",
    body: {},
    raw: raw.content,
    headers: { "waypost-record": "{}" },
    traceparent: "00-a",
    suspect: true,
  });
});
