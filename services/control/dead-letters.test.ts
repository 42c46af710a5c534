import { randomBytes } from "node:crypto";
import type { ConsumeMessage } from "amqplib";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Verdict } from "#shared/broker/actor.ts";
import { deadLetterOf } from "#shared/broker/dead-letter.ts";
import { readDelivery } from "#shared/broker/read-delivery.ts";
import { replayedUserOf } from "#shared/broker/replayed-user.ts";
import { commandsQueueOf, QUEUES } from "#shared/broker/topology.ts";
import { systemClock } from "#shared/clock.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import { createSealer } from "#shared/secrets.ts";
import type { StoredDeadLetter } from "#shared/store/dead-letters.ts";
import {
  createDeadLettersActor,
  isUnansweredCommand,
  letterKeptUntil,
  replayMessage,
  subjectOf,
} from "./dead-letters.ts";

const sealer = createSealer(randomBytes(32));

const DEADLINE = "2026-03-03T12:00:00.000Z";
const head = { jobId: "job-1", account: "acme", deadline: DEADLINE };
const queue = QUEUES.due;

it.each([
  ["a mail with content behind it", `${JSON.stringify({ mailId: "m1", head })}\nbody\nof lines`, "m1"],
  ["a deferred mail", JSON.stringify({ mail: { mailId: "m1", head } }), "m1"],
  ["a job", JSON.stringify({ head }), undefined],
  ["an event", JSON.stringify({ meta: head, notification: { meta: { mail: { id: "m1" } } } }), "m1"],
  ["a batch", JSON.stringify({ push: { meta: head } }), undefined],
])("reads whose %s is", (_kind, body, mailId) => {
  const whose = { account: "acme", jobId: "job-1", deadline: new Date(DEADLINE) };
  const expected = mailId === undefined ? whose : { ...whose, mailId };
  expect(subjectOf({ queue, body: Buffer.from(body) })).toEqual(expected);
});

it("takes a submission for nobody's, whatever the application says in it", () => {
  const body = Buffer.from(JSON.stringify({ mailId: "m1", head }));
  expect(subjectOf({ queue: QUEUES.submissions, body })).toEqual({});
});

it.each(["", "no JSON", "[]", '"text"', "null", '{"head":7,"mailId":{}}', "\0\xff"])(
  "takes %j for nobody's",
  (body) => {
    expect(subjectOf({ queue, body: Buffer.from(body, "latin1") })).toEqual({});
  },
);

const DAY_MS = 86_400_000;
const daysLater = (days: number): Date => new Date(days * DAY_MS);
const deadline = daysLater(2).toISOString();

it.each([
  ["a job", { head: { ...head, deadline } }, 3],
  ["a deferred mail", { mail: { mailId: "m1", head: { ...head, deadline } } }, 3],
  ["what says that it has for ever", { head: { deadline: daysLater(9_000).toISOString() } }, 3 + 1 / 24],
  ["an event", { meta: { jobId: "job-1", account: "acme" } }, 1],
  ["what has no deadline that can be read", { head: { deadline: "tomorrow" } }, 1],
])("keeps %s for the retention, and a mail's letter a day longer than its deadline", (_kind, letter, days) => {
  const subject = subjectOf({ queue, body: Buffer.from(`${JSON.stringify(letter)}\nbody`) });
  expect(letterKeptUntil(subject, new Date(0), DAY_MS)).toEqual(daysLater(days));
  expect(letterKeptUntil(subject, new Date(0), 30 * DAY_MS)).toEqual(daysLater(30));
});

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

describe("a replayed submission", () => {
  const submission = { ...LETTER, queue: QUEUES.submissions, headers: {} };
  const userOfReplay = (letter: StoredDeadLetter): string | undefined =>
    replayedUserOf(replayMessage(letter, Buffer.from("{}"), sealer).headers ?? {}, sealer);

  it("is its application's", () => {
    expect(userOfReplay({ ...submission, properties: { userId: "acme-app" } })).toBe("acme-app");
    expect(userOfReplay(submission)).toBeUndefined();
  });

  it("that is refused once more is still its application's at the next replay", () => {
    const first = replayMessage({ ...submission, properties: { userId: "acme-app" } }, Buffer.from("{}"), sealer);
    expect(userOfReplay({ ...submission, headers: first.headers ?? {} })).toBe("acme-app");
    expect(userOfReplay({ ...submission, headers: { "waypost-replayed-user": "forged" } })).toBeUndefined();
  });
});

it.each([
  [commandsQueueOf("notifier"), "expired", true],
  [commandsQueueOf("notifier"), "delivery_limit", false],
  [QUEUES.due, "expired", false],
  [QUEUES.submissions, "expired", false],
])("keeps nothing of an unanswered command alone (%s, %s)", (mailbox, reason, isUnanswered) => {
  expect(isUnansweredCommand({ queue: mailbox, reason })).toBe(isUnanswered);
});

/** What becomes of a letter that the database answers so. */
async function whenCollected(add: () => Promise<void>): Promise<Verdict> {
  const clock = { ...systemClock, sleep: () => Promise.resolve() };
  const ports = { deadLetters: { add }, clock, log: pino({ level: "silent" }), retentionMs: 1 };
  const parked = deadLetterOf(RAW, QUEUES.due, "why");
  const properties = { headers: parked.headers } as ConsumeMessage["properties"];
  const fields = { ...RAW.fields, routingKey: parked.routingKey };
  const read = readDelivery({ ...RAW, fields, properties }, QUEUES.deadLetters, { "": z.unknown() });
  if (!read.ok) throw new Error(read.reason);
  return createDeadLettersActor(ports).handle(read.delivery);
}

const RAW = {
  content: Buffer.from("{}"),
  fields: { deliveryTag: 1, redelivered: false, exchange: "waypost.due", routingKey: "lane", consumerTag: "c" },
  properties: { headers: { custom: "1" } } as unknown as ConsumeMessage["properties"],
} satisfies ConsumeMessage;

describe("a letter that cannot be kept", () => {
  it("goes to the end of its queue as it was, and holds up no other", async () => {
    const verdict = await whenCollected(() => Promise.reject(new TypeError("no such thing")));
    expect(verdict).toEqual({ kind: "done", publish: [deadLetterOf(RAW, QUEUES.due, "why")] });
  });

  it("stays where it is while the database is away", async () => {
    await expect(whenCollected(() => Promise.reject(new StoreUnavailable("away")))).rejects.toThrow("away");
  });
});
