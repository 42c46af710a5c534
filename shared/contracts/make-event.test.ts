import { expect, it } from "vitest";
import { mailIdOf, tagOf } from "./ids.ts";
import type { TrackedMail } from "./make-event.ts";
import { makeEvent } from "./make-event.ts";
import { notificationSchema } from "./push-notification.ts";

const mail: TrackedMail = {
  head: {
    jobId: "job-1",
    account: "acme",
    customerNo: "42",
    receivedTs: "2026-11-24T10:00:00.000Z",
    deadline: "2026-11-26T10:00:00.000Z",
    campaignId: "spring",
    envelopeFrom: "box@acme.example",
    sender: "box@acme.example",
    from: "Acme <box@acme.example>",
    bulk: false,
  },
  mailId: mailIdOf("job-1", 0),
  email: "ToName <to@example.com>",
  recipient: "to@example.com",
  messageId: "<m@acme.example>",
  size: 1234,
};

it("reads as the contract has it, with nothing where there is nothing", () => {
  const event = makeEvent(mail, {
    point: "DELIVERED",
    attempt: 1,
    at: new Date("2026-11-24T10:00:01.000Z"),
    description: "mail delivered",
    smtp: { responseCode: "250", reason: "sent (250 2.0.0 Ok)", relay: "your.target.relay", dsn: "2.0.0" },
  });
  expect(event.body).toEqual({
    version: "1",
    meta: {
      account: "acme",
      customerNo: "42",
      receivedTs: "2026-11-24T10:00:00.000Z",
      jobId: "job-1",
      version: "1",
      campaignId: "spring",
    },
    notification: {
      meta: {
        tag: tagOf(mail.mailId, "DELIVERED", 1),
        mail: { id: mail.mailId, email: "ToName <to@example.com>", from: "Acme <box@acme.example>" },
        event: {
          type: "DELIVERED",
          phase: "DELIVER",
          state: "FINISHED",
          subType: "OK",
          ts: "2026-11-24T10:00:01.000Z",
          description: "mail delivered",
        },
      },
      content: {
        mime: { messageId: "<m@acme.example>", size: "1234" },
        smtp: { responseCode: "250", reason: "sent (250 2.0.0 Ok)", relay: "your.target.relay", dsn: "2.0.0" },
      },
    },
  });
  expect(notificationSchema.safeParse(event.body.notification).success).toBe(true);
});

it("gives every end of a mail the same tag, and every attempt's deferral its own", () => {
  expect(tagOf("m", "DELIVERED", 3)).toBe(tagOf("m", "SOFT_BOUNCE", 7));
  expect(tagOf("m", "DEFERRED", 1)).not.toBe(tagOf("m", "DEFERRED", 2));
  expect(tagOf("m", "STARTED", 0)).toMatch(/^[0-9a-f]{64}$/);
});
