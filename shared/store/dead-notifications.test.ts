import { describe, expect, it } from "vitest";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import type { Notification } from "#shared/contracts/push-notification.ts";
import type { DeadNotification } from "./dead-notifications.ts";
import { recipientOf, withoutRecipient } from "./dead-notifications.ts";

const AT = "2026-11-24T10:00:00.000Z";

const toldOf = (email: string): Notification => ({
  meta: {
    tag: "a".repeat(64),
    mail: { id: "1", email, from: "news@acme.example" },
    event: { type: "BOUNCED", phase: "DELIVER", state: "FINISHED", subType: "HARD_BOUNCE", ts: AT, description: email },
  },
  content: { smtp: { responseCode: "550", reason: `no ${email}`, dsn: "5.1.1" } },
});

function deadOf(emails: readonly string[]): DeadNotification {
  const notifications = emails.map(toldOf);
  const meta = { account: "acme", customerNo: "4711", receivedTs: AT, jobId: "job", version: "1" as const };
  return {
    _id: "batch",
    jobId: "job",
    account: "acme",
    url: "https://endpoint.example/",
    reason: "503",
    at: new Date(AT),
    attempts: 3,
    recipients: notifications.map(recipientOf),
    batch: { version: MESSAGE_VERSION, batchId: "batch", attempts: 3, deadline: AT, push: { meta, notifications } },
    expiresAt: new Date(AT),
  };
}

const emailsOf = (dead: DeadNotification): string[] => dead.batch.push.notifications.map(({ meta }) => meta.mail.email);

describe("an erasure from a dead notification", () => {
  it("leaves others whose address ends as the erased one does", () => {
    const erased = withoutRecipient(deadOf(["Ann <Ann@x.example>", "joann@x.example"]), "ann@x.example");
    expect(emailsOf(erased)).toEqual(["erased", "joann@x.example"]);
    expect(erased.recipients).toEqual(["erased", "joann@x.example"]);
    expect(JSON.stringify(erased)).not.toMatch(/[^o]ann@/i);
  });

  it("finds an internationalised domain, however it was written", () => {
    const dead = deadOf(["Box <Box@Müller.example>", "box@xn--mller-kva.example"]);
    expect(new Set(dead.recipients)).toEqual(new Set(["box@xn--mller-kva.example"]));
    expect(emailsOf(withoutRecipient(dead, "box@xn--mller-kva.example"))).toEqual(["erased", "erased"]);
  });
});
