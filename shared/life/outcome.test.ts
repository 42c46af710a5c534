import { describe, expect, it } from "vitest";
import type { SmtpStep } from "#shared/contracts/attempt.ts";
import { SMTP_STEPS } from "#shared/contracts/attempt.ts";
import { parseEnhancedStatusCode } from "#shared/email/enhanced-status-code.ts";
import { parseReply } from "#shared/email/reply.ts";
import type { LocalCause } from "./outcome.ts";
import { LOCAL_CAUSES, mayTryNextHost, outcomeOf } from "./outcome.ts";

function replied(step: SmtpStep, text: string) {
  const reply = parseReply(text);
  if (reply === undefined) throw new Error(`no reply: ${text}`);
  return outcomeOf({ kind: "reply", step, reply });
}

const concluded = (step: SmtpStep, cause: LocalCause) => outcomeOf({ kind: "local", step, cause, detail: "why" });

describe("a reply", () => {
  it.each<[SmtpStep, string, string, string, string]>([
    ["greeting", "421 4.3.2 shutting down", "deferred", "connection", "4.3.2"],
    ["greeting", "450 later", "deferred", "connection", "4.0.0"],
    ["greeting", "554 5.7.1 no", "deferred", "setup", "4.7.1"],
    ["greeting", "554 no", "deferred", "setup", "4.0.0"],
    ["greeting", "250 hello", "deferred", "connection", "4.0.0"],
    ["ehlo", "421 busy", "deferred", "connection", "4.3.2"],
    ["ehlo", "451 later", "deferred", "connection", "4.3.0"],
    ["ehlo", "550 5.7.1 who are you", "deferred", "setup", "4.7.1"],
    ["ehlo", "502 no", "deferred", "setup", "4.5.1"],
    ["starttls", "454 4.7.0 not now", "deferred", "connection", "4.7.0"],
    ["starttls", "501 5.5.4 no", "deferred", "setup", "4.5.4"],
    ["starttls", "502 no STARTTLS", "deferred", "setup", "4.7.4"],
    ["auth", "535 5.7.8 wrong", "deferred", "setup", "4.7.8"],
    ["auth", "535 wrong", "deferred", "setup", "4.7.8"],
    ["auth", "534 too weak", "deferred", "setup", "4.7.9"],
    ["auth", "538 encrypt", "deferred", "setup", "4.7.11"],
    ["auth", "454 4.7.0 later", "deferred", "connection", "4.7.0"],
    ["auth", "530 5.7.0 tls first", "deferred", "setup", "4.7.0"],
    ["mail", "421 4.7.0 slow down", "deferred", "connection", "4.7.0"],
    ["mail", "530 5.7.0 authenticate", "deferred", "setup", "4.7.0"],
    ["mail", "451 4.7.1 greylisted", "deferred", "mail", "4.7.1"],
    ["mail", "452 full", "deferred", "mail", "4.3.1"],
    ["mail", "550 5.1.8 sender", "bounced", "mail", "5.1.8"],
    ["mail", "552 too big", "bounced", "mail", "5.3.4"],
    ["mail", "553 not allowed", "bounced", "mail", "5.1.0"],
    ["rcpt", "421 busy", "deferred", "connection", "4.3.2"],
    ["rcpt", "530 auth", "deferred", "setup", "4.7.0"],
    ["rcpt", "450 4.2.1 busy", "deferred", "mail", "4.2.1"],
    ["rcpt", "450 busy", "deferred", "mail", "4.2.0"],
    ["rcpt", "452 4.2.2 full", "deferred", "mail", "4.2.2"],
    ["rcpt", "550 5.1.1 unknown", "bounced", "mail", "5.1.1"],
    ["rcpt", "550 unknown", "bounced", "mail", "5.2.0"],
    ["rcpt", "550 4.2.0 contradiction", "bounced", "mail", "5.2.0"],
    ["rcpt", "450 5.1.1 contradiction", "deferred", "mail", "4.1.1"],
    ["rcpt", "551 moved", "bounced", "mail", "5.1.0"],
    ["rcpt", "552 full", "bounced", "mail", "5.2.2"],
    ["rcpt", "554 no", "bounced", "mail", "5.0.0"],
    ["rcpt", "354 what", "deferred", "connection", "4.0.0"],
    ["data", "421 bye", "deferred", "connection", "4.3.2"],
    ["data", "451 later", "deferred", "mail", "4.3.0"],
    ["data", "554 5.5.1 no", "bounced", "mail", "5.5.1"],
    ["dot", "250 2.0.0 Ok", "accepted", "mail", "2.0.0"],
    ["dot", "250 ok", "accepted", "mail", "2.0.0"],
    ["dot", "250 5.0.0 odd", "accepted", "mail", "2.0.0"],
    ["dot", "251 2.1.5 forwarded", "accepted", "mail", "2.1.5"],
    ["dot", "421 4.3.0 bye", "deferred", "connection", "4.3.0"],
    ["dot", "450 4.7.1 later", "deferred", "mail", "4.7.1"],
    ["dot", "451 later", "deferred", "mail", "4.3.0"],
    ["dot", "530 auth", "deferred", "setup", "4.7.0"],
    ["dot", "552 too big", "bounced", "mail", "5.3.4"],
    ["dot", "554 5.6.0 content", "bounced", "mail", "5.6.0"],
    ["dot", "354 what", "deferred", "connection", "4.0.0"],
  ])("to %s of %j: %s, blame %s, %s", (step, text, status, blame, enhancedStatus) => {
    expect(replied(step, text)).toMatchObject({ status, blame, enhancedStatus, origin: "remote", step });
  });

  it("to the final dot that neither takes nor refuses the mail leaves the outcome uncertain", () => {
    for (const text of ["354 go on", "199 what", "600 what", "000 what"])
      expect(replied("dot", text).uncertain).toBe(true);
    for (const text of ["250 ok", "450 no", "550 no", "421 bye"])
      expect(replied("dot", text).uncertain).toBeUndefined();
    expect(replied("data", "250 go on").uncertain).toBeUndefined();
  });

  it("of acceptance tells the relay's queue id", () => {
    expect(replied("dot", "250 2.0.0 Ok: queued as ABC123").remoteQueueId).toBe("ABC123");
  });

  it("never bounces a mail outside of its transaction", () => {
    const before = SMTP_STEPS.filter((step) => !["mail", "rcpt", "data", "dot"].includes(step));
    for (const step of before) {
      for (let code = 200; code < 600; code += 1) expect(replied(step, `${code} x`).status).toBe("deferred");
    }
  });

  it("has an enhanced status of the class of its outcome, whatever code and status the server gave", () => {
    const classes = { accepted: "2", deferred: "4", bounced: "5" };
    for (const step of SMTP_STEPS) {
      for (const text of ["250 x", "354 x", "451 5.1.1 x", "550 2.0.0 x", "599 x", "421 x"]) {
        const outcome = replied(step, text);
        expect(parseEnhancedStatusCode(outcome.enhancedStatus)).toBeDefined();
        expect(outcome.enhancedStatus[0]).toBe(classes[outcome.status]);
      }
    }
  });
});

const CAUSES: readonly [LocalCause, string, string, string][] = [
  ["relay-unknown", "deferred", "setup", "4.4.4"],
  ["dns-unavailable", "deferred", "connection", "4.4.3"],
  ["network-refused", "deferred", "setup", "4.4.4"],
  ["domain-unknown", "bounced", "mail", "5.1.2"],
  ["domain-without-server", "bounced", "mail", "5.4.4"],
  ["null-mx", "bounced", "mail", "5.1.10"],
  ["loop", "bounced", "mail", "5.4.6"],
  ["relay-loop", "deferred", "setup", "4.4.6"],
  ["source-address-missing", "deferred", "setup", "4.3.5"],
  ["connect-refused", "deferred", "connection", "4.4.1"],
  ["connect-timeout", "deferred", "connection", "4.4.1"],
  ["connect-failed", "deferred", "connection", "4.4.1"],
  ["timeout", "deferred", "connection", "4.4.2"],
  ["dropped", "deferred", "connection", "4.4.2"],
  ["garbage", "deferred", "connection", "4.5.0"],
  ["reply-too-large", "deferred", "connection", "4.5.0"],
  ["tls-missing", "deferred", "setup", "4.7.4"],
  ["tls-failed", "deferred", "setup", "4.7.5"],
  ["tls-certificate", "deferred", "setup", "4.7.5"],
  ["policy-failed", "deferred", "setup", "4.7.5"],
  ["auth-missing", "deferred", "setup", "4.7.4"],
  ["auth-without-tls", "deferred", "setup", "4.7.11"],
  ["secret-unreadable", "deferred", "setup", "4.3.5"],
  ["dkim-key-unreadable", "deferred", "mail", "4.3.5"],
  ["too-large", "bounced", "mail", "5.3.4"],
  ["needs-8bit", "bounced", "mail", "5.6.3"],
  ["needs-smtputf8", "bounced", "mail", "5.6.7"],
  ["relay-removed", "bounced", "mail", "5.4.4"],
  ["deadline", "deferred", "mail", "4.4.7"],
];

describe("a local cause", () => {
  it.each(CAUSES)("%s: %s, blame %s, %s, and no reply code", (cause, status, blame, enhancedStatus) => {
    const outcome = concluded("connect", cause);
    expect(outcome).toMatchObject({ status, blame, enhancedStatus, origin: "local", text: "why" });
    expect(outcome.replyCode).toBeUndefined();
  });

  it("is in the table above, each", () => {
    expect(CAUSES.map(([cause]) => cause)).toEqual(Object.keys(LOCAL_CAUSES));
  });

  it("leaves the outcome uncertain only where the reply to the final dot was lost", () => {
    const lost = ["timeout", "dropped", "garbage", "reply-too-large", "deadline"] as const;
    for (const cause of lost) {
      for (const step of SMTP_STEPS) expect(concluded(step, cause).uncertain === true).toBe(step === "dot");
    }
  });
});

it("another host is tried where the one said nothing of the mail", () => {
  expect(mayTryNextHost(concluded("connect", "connect-refused"))).toBe(true);
  expect(mayTryNextHost(replied("greeting", "554 no"))).toBe(true);
  expect(mayTryNextHost(replied("mail", "421 bye"))).toBe(false);
  expect(mayTryNextHost(replied("rcpt", "550 no"))).toBe(false);
  expect(mayTryNextHost(concluded("dot", "dropped"))).toBe(false);
});
