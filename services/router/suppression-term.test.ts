import { expect, it } from "vitest";
import { eventMessageSchema, eventRecordSchema } from "#shared/contracts/event.ts";
import { eventToPublish, trackedMailOf } from "#shared/contracts/outgoing.ts";
import { smtpContentOf } from "#shared/email/smtp-content.ts";
import { aMail, anAttempt } from "#test/support/build-mail.ts";
import { listingOf } from "./bounces.ts";
import { suppressionTermOf } from "./suppression-term.ts";

const DAY = 86_400_000;

it.each([
  ["5.1.1", 45],
  ["5.1.6", 45],
  ["5.1.2", 7],
  ["5.1.10", 7],
  ["5.2.1", 7],
  ["5.7.1", 7],
  ["5.0.0", 7],
  ["5.2.2", 1],
])("a bounce with %s on the default route suppresses for %i days", (enhancedStatus, days) => {
  const { relay: _none, ...attempt } = anAttempt({ result: { status: "bounced", enhancedStatus, step: "data" } });
  expect(suppressionTermOf(attempt)).toBe(days * DAY);
});

it.each([
  ["5.1.1", 45],
  ["5.1.2", 7],
  ["5.1.3", 7],
  ["5.1.6", 45],
  ["5.1.10", 7],
])("a relay's %s in reply to RCPT suppresses for %i days", (enhancedStatus, days) => {
  const attempt = anAttempt({ result: { status: "bounced", enhancedStatus, step: "rcpt", replyCode: 550 } });
  expect(suppressionTermOf(attempt)).toBe(days * DAY);
});

it.each([
  ["5.2.2", "rcpt", "remote"],
  ["5.7.1", "rcpt", "remote"],
  ["5.1.0", "rcpt", "remote"],
  ["5.1.1", "mail", "remote"],
  ["5.1.1", "data", "remote"],
  ["5.1.1", "dot", "remote"],
  ["5.1.1", "rcpt", "local"],
] as const)("a relay's %s in reply to %s (%s) suppresses nobody", (enhancedStatus, step, origin) => {
  const attempt = anAttempt({ result: { status: "bounced", enhancedStatus, step, origin } });
  expect(suppressionTermOf(attempt)).toBeUndefined();
});

it("the entry tells when and with what the recipient bounced", () => {
  const attempt = anAttempt({
    result: {
      status: "bounced",
      replyCode: 550,
      enhancedStatus: "5.1.1",
      text: "550 5.1.1 no such user",
      host: "mx.example.net",
      address: "192.0.2.39",
    },
  });
  const at = new Date("2026-03-01T12:00:01.000Z");
  const smtp = smtpContentOf(attempt);
  const event = eventToPublish(trackedMailOf(aMail()), {
    point: "HARD_BOUNCE",
    attempt: 1,
    at,
    smtp,
    record: { attempt },
  });
  const listing = listingOf(eventMessageSchema.parse(event.body), eventRecordSchema.parse(event.record));
  expect(listing).toEqual({
    account: "acme",
    email: "to@example.net",
    termMs: 45 * DAY,
    bounce: {
      ts: "2026-03-01T12:00:01.000Z",
      reason: "[5.1.1] bounced (host mx.example.net[192.0.2.39] said: 550 5.1.1 no such user)",
    },
  });
});
