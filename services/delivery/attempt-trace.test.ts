import { beforeEach, expect, it } from "vitest";
import type { Attempt } from "#shared/contracts/attempt.ts";
import type { LocalCause } from "#shared/life/outcome.ts";
import { outcomeOf } from "#shared/life/outcome.ts";
import { aMail, anAttempt } from "#test/support/build-mail.ts";
import { takeSpans } from "#test/support/recorded-spans.ts";
import { endAttemptSpan, startAttemptSpan } from "./attempt-trace.ts";

beforeEach(() => void takeSpans());

function errorTypeOf(attempt: Attempt): unknown {
  endAttemptSpan(startAttemptSpan(aMail(), "relay"), attempt);
  return takeSpans()[0]?.attributes["error.type"];
}

it.each<[LocalCause, string]>([
  ["connect-refused", "connect_refused"],
  ["connect-timeout", "connect_timeout"],
  ["tls-certificate", "tls_certificate"],
])("names what was met in an attempt that ended in %s", (cause, type) => {
  const result = outcomeOf({ kind: "local", step: "connect", cause, detail: "why" });
  expect(errorTypeOf({ ...anAttempt(), result })).toBe(type);
});

it("names the reply of an attempt that was refused", () => {
  expect(errorTypeOf(anAttempt({ result: { replyCode: 421 } }))).toBe("421");
});

it("names no error of an attempt that was accepted", () => {
  expect(errorTypeOf(anAttempt({ result: { status: "accepted", replyCode: 250 } }))).toBeUndefined();
});
