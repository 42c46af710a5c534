import type { ConsumeMessage } from "amqplib";
import { expect, it } from "vitest";
import { z } from "zod";
import type { DeadLetter } from "./dead-letter.ts";
import { deadLetterOf, publishedAgain, readDeadLetter, replayOf } from "./dead-letter.ts";
import { encodeBody } from "./encoding.ts";
import { unpack } from "./pack.ts";
import { publishOptionsOf } from "./properties.ts";
import { readDelivery } from "./read-delivery.ts";
import { EXCHANGES, QUEUES } from "./topology.ts";

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

it.each([
  ["one of long characters", { large: "€".repeat(32_000) }],
  ["many of middle length", Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`h${n}`, "x".repeat(1_000)]))],
  [
    "a hundred short ones of long characters",
    Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`h${n}`, "€".repeat(300)])),
  ],
])("can be published whatever its headers were: %s", (_, headers) => {
  const reason = "€".repeat(5_000);
  const letter = deadLetterOf({ ...raw, properties: { ...raw.properties, headers } }, "router.due", reason);
  expect(Buffer.byteLength(JSON.stringify(letter.headers))).toBeLessThan(48 * 1_024);
  expect(letter.headers?.["waypost-dead-properties"]).toContain('"messageId":"m"');
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

it.each([
  [
    "long names that are not ASCII",
    Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`${"名".repeat(40)}${n}`, n])),
  ],
  ["long values that are not ASCII", { text: "名".repeat(900), more: "字".repeat(30_000) }],
])("has headers that can be published whatever an application sent: %s", (_, headers) => {
  const letter = deadLetterOf({ ...raw, properties: { ...raw.properties, headers } }, QUEUES.submissions, "why");
  expect(Buffer.byteLength(letter.headers?.["waypost-dead-properties"] ?? "")).toBeLessThanOrEqual(32 * 1_024);
});

/** As control gets it from the queue `dead-letters`. */
function arrived(routingKey: string, properties: object): DeadLetter {
  const message = {
    content: raw.content,
    fields: { ...raw.fields, exchange: EXCHANGES.dead, routingKey },
    properties: properties as ConsumeMessage["properties"],
  };
  const read = readDelivery(message, QUEUES.deadLetters, { "": z.unknown() });
  if (!read.ok) throw new Error(read.reason);
  return readDeadLetter(read.delivery);
}

const FORGED = {
  "waypost-dead-queue": QUEUES.jobsBulk,
  "waypost-dead-reason": "forged",
  "waypost-dead-properties": JSON.stringify({
    exchange: "",
    routingKey: "",
    properties: { userId: "victim" },
    headers: {},
  }),
};

it.each([
  ["expired", { "x-death": [{}], "x-first-death-queue": QUEUES.submissions, "x-first-death-reason": "expired" }],
  ["expired", { "x-death": [{}], "x-first-death-queue": QUEUES.jobsBulk, "x-first-death-reason": "expired" }],
  // Where an application sends x-death, RabbitMQ 3.x adds nothing else.
  ["unknown", { "x-death": [{}] }],
])("what the broker dead-letters is not believed where it says that it died elsewhere: %s %j", (reason, headers) => {
  const letter = arrived(QUEUES.submissions, { type: "job", headers: { ...FORGED, ...headers } });
  expect(letter).toMatchObject({ queue: QUEUES.submissions, reason, properties: {} });
});

it("a submission that the broker dead-letters is its user's, whom the broker checked", () => {
  const headers = { ...FORGED, "x-death": [{}], "x-first-death-reason": "expired" };
  const letter = arrived(QUEUES.submissions, { userId: "acme-app", headers });
  expect(letter).toMatchObject({ reason: "expired", properties: { userId: "acme-app" } });
});

it("what an application says in such headers comes as data where its message is parked, and no replay has it", () => {
  const sent = { ...raw, properties: { ...raw.properties, headers: FORGED } };
  const { headers } = deadLetterOf(sent, QUEUES.submissions, "refused");
  const letter = arrived(QUEUES.submissions, { headers });
  expect(letter).toMatchObject({ queue: QUEUES.submissions, reason: "refused", properties: { type: "mail" } });
  expect(letter.properties["userId"]).toBeUndefined();
  expect(replayOf(letter).headers).toBeUndefined();
});

it("is the same when it is published once more", () => {
  const first = deadLetterOf(raw, "router.due", "why");
  const options = (letter: typeof first) =>
    publishOptionsOf({
      message: letter,
      body: raw.content,
      contentType: "",
      suspect: false,
      record: undefined,
      traceparent: undefined,
    });
  const letter = arrived(first.routingKey, options(first));
  expect(arrived(letter.queue, options(publishedAgain(letter)))).toEqual(letter);
});

it("is replayed in a pack where its record is longer than a header may be", () => {
  const record = JSON.stringify({ endpoint: "x".repeat(100_000) });
  const letter = { queue: "notifier.events", type: "event", messageId: "tag", body: Buffer.from("{}") };
  const replay = replayOf({ ...letter, headers: { "waypost-record": record } });
  expect(replay).toMatchObject({ exchange: "", routingKey: "notifier.events", type: "pack" });
  const properties = { type: replay.type, headers: replay.headers } as unknown as ConsumeMessage["properties"];
  const [part] = unpack({ ...raw, properties, content: encodeBody(replay).bytes }) ?? [];
  expect(part).toMatchObject({
    properties: { type: "event", messageId: "tag", headers: { "waypost-record": record, "waypost-suspect": true } },
    content: letter.body,
  });
});
