import type { ConsumeMessage } from "amqplib";
import { expect, it } from "vitest";
import { z } from "zod";
import { readDelivery } from "./read-delivery.ts";
import { QUEUES } from "./topology.ts";

const contracts = { mail: z.object({ n: z.int() }) };

function message(more: { properties?: object; headers?: object; fields?: object; body?: string }): ConsumeMessage {
  const properties = { type: "mail", headers: more.headers ?? {}, ...more.properties };
  const fields = { deliveryTag: 1, redelivered: false, exchange: "e", routingKey: "k", consumerTag: "c" };
  return {
    content: Buffer.from(more.body ?? '{"n":1}'),
    fields: { ...fields, ...more.fields },
    properties: properties as ConsumeMessage["properties"],
  };
}

it.each([
  ["redelivered", { fields: { redelivered: true } }, true],
  ["marked", { headers: { "waypost-suspect": true } }, true],
  ["marked with something else", { headers: { "waypost-suspect": "true" } }, false],
  ["neither", {}, false],
])("is suspect or not: %s", (_, more, suspect) => {
  const read = readDelivery(message(more), "q", contracts);
  expect(read).toMatchObject({ ok: true, delivery: { suspect } });
});

it("refuses a message that died of the delivery limit, but for dead letters and what died in an application's queue", () => {
  const dead = message({ headers: { "x-first-death-reason": "delivery_limit", "x-first-death-queue": "lane" } });
  expect(readDelivery(dead, "q", contracts)).toEqual({ ok: false, reason: "delivery limit reached in lane" });
  for (const queue of [QUEUES.deadLetters, QUEUES.submissions]) {
    expect(readDelivery(dead, queue, { "": z.unknown() })).toMatchObject({ ok: true });
  }
});

it("names what is wrong without saying what it was", () => {
  const read = readDelivery(message({ body: '{"n":"secret"}' }), "q", contracts);
  expect(read).toMatchObject({ ok: false, reason: expect.stringMatching(/^not a valid mail: n: /) as string });
  expect(JSON.stringify(read)).not.toContain("secret");
});

it("gives what comes from outside as a whole, JSON or not", () => {
  const outside = { "": z.unknown() };
  const pretty = '{\n "n": 1\n}';
  const read = readDelivery(message({ body: pretty, properties: { type: "whatever" } }), "q", outside);
  expect(read).toMatchObject({ ok: true, delivery: { message: { n: 1 }, content: Buffer.from(pretty) } });
  expect(readDelivery(message({ body: "{" }), "q", outside)).toMatchObject({
    ok: true,
    delivery: { message: undefined, content: Buffer.from("{") },
  });
});
