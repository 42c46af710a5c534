import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import type { StoredDeadLetter } from "#shared/store/dead-letters.ts";
import { isUnansweredCommand, replayMessage, subjectOf } from "./dead-letters.ts";
import { createSealer } from "#shared/secrets.ts";

const sealer = createSealer(randomBytes(32));

const head = { jobId: "job-1", account: "acme" };

it.each([
  ["a mail with content behind it", `${JSON.stringify({ mailId: "m1", head })}\nbody\nof lines`, "m1"],
  ["a deferred mail", JSON.stringify({ mail: { mailId: "m1", head } }), "m1"],
  ["a job", JSON.stringify({ head }), undefined],
  ["an event", JSON.stringify({ meta: head, notification: { meta: { mail: { id: "m1" } } } }), "m1"],
  ["a batch", JSON.stringify({ push: { meta: head } }), undefined],
])("reads whose %s is", (_kind, body, mailId) => {
  const expected = { account: "acme", jobId: "job-1", ...(mailId === undefined ? {} : { mailId }) };
  expect(subjectOf(Buffer.from(body))).toEqual(expected);
});

it.each(["", "no JSON", "[]", '"text"', "null", '{"head":7,"mailId":{}}', "\0\xff"])(
  "takes %j for nobody's",
  (body) => {
    expect(subjectOf(Buffer.from(body, "latin1"))).toEqual({});
  },
);

const LETTER: StoredDeadLetter = {
  _id: "id",
  at: new Date(0),
  reason: "delivery_limit",
  queue: "notifier.events",
  exchange: "waypost.events",
  routingKey: "acme.delivered.ok",
  type: "event",
  properties: {},
  headers: { "x-death": [{ count: 1 }], traceparent: "00-0-0-00" },
  bytes: 2,
  expiresAt: new Date(0),
};

it("replays a letter to the queue it died in, with none of the broker's headers", () => {
  const message = replayMessage(LETTER, Buffer.from("{}"), sealer);
  expect(message).toMatchObject({ exchange: "", routingKey: "notifier.events", type: "event", suspect: true });
  expect(JSON.stringify(message)).not.toContain("x-death");
});

it("replays a mail through the router, which knows its way as of now", () => {
  const mail = { ...LETTER, type: "mail", queue: "delivery.relay.acme.example.com.bulk" };
  expect(replayMessage(mail, Buffer.from("{}"), sealer)).toMatchObject({
    exchange: "waypost.due",
    routingKey: "delivery.relay.acme.example.com",
  });
});

it.each([
  ["command", "expired", true],
  ["command", "delivery_limit", false],
  ["mail", "expired", false],
])("keeps nothing of an unanswered command alone (%s, %s)", (type, reason, isUnanswered) => {
  expect(isUnansweredCommand({ type, reason })).toBe(isUnanswered);
});
