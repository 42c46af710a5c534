import { describe, expect, it } from "vitest";
import { eventMessageSchema, eventRecordSchema } from "#shared/contracts/event.ts";
import { deferredMessageSchema } from "#shared/contracts/attempt.ts";
import { tagOf } from "#shared/contracts/ids.ts";
import { trackedMailOf } from "#shared/contracts/outgoing.ts";
import { mailMessageSchema } from "#shared/contracts/mail.ts";
import { aMail, anAttempt } from "#test/support/build-mail.ts";
import { consequencesOf, outcomeAgain, softBounce } from "./retry-points.ts";

const now = new Date("2026-03-01T12:00:02.000Z");
const content = Buffer.from("hello");
const carried = { mail: aMail(), content };

describe("a mail that is tried again", () => {
  const [event, waiting] = consequencesOf({ kind: "retry", waitMs: 300_000, attempt: anAttempt() }, carried, now);

  it("is told as DEFERRED with the attempt's reply", () => {
    const body = eventMessageSchema.parse(event?.body);
    expect(event?.routingKey).toBe("acme.deferred.soft_bounce");
    expect(body.notification.meta.event).toMatchObject({ phase: "DELIVER", state: "INTERMEDIATE", type: "DEFERRED" });
    expect(body.notification.content?.smtp).toEqual({
      responseCode: "451",
      reason: "deferred (host relay.example.com[127.0.0.9] said: 451 4.3.0 try again later)",
      relay: "relay.example.com",
      dsn: "4.3.0",
    });
    expect(eventRecordSchema.parse(event?.record).attempt).toEqual(anAttempt());
  });

  it("waits in its tier with the next attempt, its content behind it", () => {
    expect(waiting).toMatchObject({ exchange: "waypost.wait.5m", routingKey: "delivery.relay.acme.example.com" });
    expect(mailMessageSchema.parse(waiting?.body).attempt).toBe(2);
    expect(waiting?.content).toBe(content);
    expect(waiting?.expirationMs).toBeUndefined();
  });
});

it("a mail in a suspended lane is told once, under the same tag, with the same attempt to come", () => {
  const fate = { kind: "tell-waiting", waitMs: 60_000, text: "the relay is suspended: connection refused" } as const;
  const [event, waiting] = consequencesOf(fate, carried, now);
  const { meta, content: facts } = eventMessageSchema.parse(event?.body).notification;
  expect(meta.tag).toBe(tagOf(carried.mail.mailId, "DEFERRED", 0));
  expect(meta.event.description).toBe("the relay is suspended: connection refused");
  expect(facts?.smtp).toMatchObject({ relay: "relay.example.com", dsn: "4.4.1" });
  expect(mailMessageSchema.parse(waiting?.body)).toMatchObject({ attempt: 1, waitTold: true });
});

it("a mail in a suspended lane that was told of already waits on in silence", () => {
  const told = { mail: aMail({ waitTold: true }), content };
  const following = consequencesOf({ kind: "tell-waiting", waitMs: 60_000, text: "suspended" }, told, now);
  expect(following.map(({ type, exchange }) => [type, exchange])).toEqual([["mail", "waypost.wait.1m"]]);
});

it.each([{ kind: "tell-waiting", waitMs: undefined, text: "suspended" }, { kind: "return" }] as const)(
  "a mail that goes back at the end of its time does not circle without a pause ($kind)",
  (fate) => {
    expect(consequencesOf(fate, carried, now).at(-1)).toMatchObject({ type: "mail", exchange: "waypost.wait.5s" });
  },
);

describe("the end of a mail", () => {
  const mail = trackedMailOf(carried.mail);

  it("tells the reason of the last attempt as a soft bounce", () => {
    const { body } = softBounce(mail, { attempt: anAttempt({ attempt: 3 }), now });
    const { meta, content: facts } = eventMessageSchema.parse(body).notification;
    expect(meta.event).toMatchObject({ state: "FINISHED", type: "BOUNCED", subType: "SOFT_BOUNCE" });
    expect(facts?.smtp?.reason).toBe("bounced (host relay.example.com[127.0.0.9] said: 451 4.3.0 try again later)");
  });

  it("without an attempt names the relay and a status of our own", () => {
    const { body } = softBounce(mail, { attempt: undefined, relay: "relay.example.com", now });
    expect(eventMessageSchema.parse(body).notification.content?.smtp).toEqual({
      reason: "bounced (no attempt could be made until the deadline)",
      relay: "relay.example.com",
      dsn: "5.4.7",
    });
  });

  it.each([
    ["accepted", "DELIVERED", "OK"],
    ["bounced", "BOUNCED", "HARD_BOUNCE"],
  ] as const)("that the ledger knows as %s is told as %s", (status, type, subType) => {
    const { body } = outcomeAgain(mail, anAttempt({ result: { status } }), now);
    expect(eventMessageSchema.parse(body).notification.meta.event).toMatchObject({ type, subType });
  });

  it("has one tag, whatever it is and whoever tells it", () => {
    const ends = [
      softBounce(mail, { attempt: undefined, now }),
      softBounce(mail, { attempt: anAttempt({ attempt: 9 }), now }),
      outcomeAgain(mail, anAttempt({ result: { status: "accepted" } }), now),
    ];
    expect(new Set(ends.map(({ messageId }) => messageId)).size).toBe(1);
  });
});

it("what it takes is what delivery gives", () => {
  expect(deferredMessageSchema.safeParse({ version: 1, mail: aMail(), attempt: anAttempt() }).success).toBe(true);
});
