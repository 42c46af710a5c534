import type { ConsumeMessage } from "amqplib";
import { expect, it } from "vitest";
import { z } from "zod";
import { encodeBody } from "./encoding.ts";
import { isPack, packOf, unpack, weightOf } from "./pack.ts";
import type { Publishable } from "./publish-job.ts";
import { readDelivery } from "./read-delivery.ts";
import { EXCHANGES, QUEUES, ROUTING_KEYS } from "./topology.ts";

const target = { exchange: EXCHANGES.points, routingKey: ROUTING_KEYS.points };
const contracts = { event: z.object({ n: z.int() }) };

function publishable(n: number, more: Partial<Publishable> = {}): Publishable {
  const message = { ...target, type: "event", body: { n }, messageId: `tag-${n}`, record: { lane: "ä" } };
  const { bytes: body, contentType } = encodeBody(message);
  const record = JSON.stringify(message.record);
  return { message, body, contentType, record, traceparent: `00-${n}`, suspect: false, ...more };
}

/** As the consumer of a mailbox gets what is published. */
function arrived(
  parts: readonly Publishable[],
  more: { headers?: object; redelivered?: boolean } = {},
): ConsumeMessage {
  const pack = packOf(target, parts);
  return {
    content: encodeBody(pack).bytes,
    fields: { ...target, deliveryTag: 1, redelivered: more.redelivered === true, consumerTag: "c" },
    properties: { type: pack.type, headers: { ...pack.headers, ...more.headers } } as ConsumeMessage["properties"],
  };
}

const read = (raw: ConsumeMessage) =>
  (unpack(raw) ?? []).map((part) => {
    const result = readDelivery(part, QUEUES.events, contracts);
    if (!result.ok) throw new Error(result.reason);
    return result.delivery;
  });

it("gives back each part with its own body, properties, headers and trace, in their order", () => {
  const raw = arrived([publishable(1), publishable(2, { body: Buffer.from('{"n":2}\nraw') })]);
  expect(read(raw)).toMatchObject([
    {
      type: "event",
      message: { n: 1 },
      suspect: false,
      exchange: EXCHANGES.points,
      properties: { messageId: "tag-1", contentType: "application/json" },
      headers: { "waypost-record": '{"lane":"ä"}', traceparent: "00-1" },
      traceparent: "00-1",
    },
    { message: { n: 2 }, content: Buffer.from("raw"), properties: { messageId: "tag-2" }, traceparent: "00-2" },
  ]);
});

it.each([
  ["by its own mark", [false, true], {}, [false, true]],
  [
    "by the mark of the pack, which was published again",
    [false, false],
    { headers: { "waypost-suspect": true } },
    [true, true],
  ],
  ["by the pack's coming again", [false, false], { redelivered: true }, [true, true]],
])("has parts that are suspect %s", (_, marks, more, suspect) => {
  const raw = arrived(
    marks.map((mark, n) => publishable(n, { suspect: mark })),
    more,
  );
  expect(read(raw).map((delivery) => delivery.suspect)).toEqual(suspect);
});

it("tells each part how the broker ended the whole", () => {
  const raw = arrived([publishable(1)], { headers: { "x-first-death-reason": "delivery_limit" } });
  expect(unpack(raw)?.[0]?.properties.headers?.["x-first-death-reason"]).toBe("delivery_limit");
});

it.each([
  ["no JSON", "{"],
  ["another version", '{"version":2,"parts":[]}'],
  ["no parts", '{"version":1,"parts":[]}'],
  [
    "a part longer than what is there",
    '{"version":1,"parts":[{"bytes":9,"type":"","contentType":"","headers":{}}]}\n{}',
  ],
  ["more than its parts", '{"version":1,"parts":[{"bytes":1,"type":"","contentType":"","headers":{}}]}\n{}'],
])("is none with %s", (_, body) => {
  expect(unpack({ ...arrived([publishable(1)]), content: Buffer.from(body) })).toBeUndefined();
});

it("is one only where nobody but our services can publish, or from there by the broker's own dead-lettering", () => {
  const raw = arrived([publishable(1), publishable(2)]);
  const dead = (headers: object, routingKey: string = QUEUES.events) => {
    const pack = arrived([publishable(1)], { headers });
    return { ...pack, fields: { ...pack.fields, exchange: EXCHANGES.dead, routingKey } };
  };
  expect(isPack(raw, QUEUES.events)).toBe(true);
  expect(isPack(raw, QUEUES.submissions)).toBe(false);
  expect(isPack(dead({ "x-death": [] }), QUEUES.deadLetters)).toBe(true);
  const forged = { "x-death": [], "x-first-death-queue": QUEUES.events };
  expect(isPack(dead(forged, QUEUES.submissions), QUEUES.deadLetters)).toBe(false);
  expect(isPack(dead({ "waypost-dead-queue": QUEUES.events }), QUEUES.deadLetters)).toBe(false);
});

it("counts as many deliveries as it has parts, anything else as one", () => {
  const raw = arrived([publishable(1), publishable(2)]);
  expect(weightOf(raw, QUEUES.events)).toBe(2);
  expect(weightOf(raw, QUEUES.submissions)).toBe(1);
  expect(weightOf(arrived([publishable(1)], { headers: { "waypost-parts": "-3" } }), QUEUES.events)).toBe(1);
});
