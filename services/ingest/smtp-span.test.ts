import { SpanStatusCode } from "@opentelemetry/api";
import type { SMTPServerSession } from "smtp-server";
import { beforeEach, expect, it } from "vitest";
import { StoreUnavailable } from "#shared/errors.ts";
import { takeSpans } from "#test/support/recorded-spans.ts";
import { BUSY, MESSAGE_TOO_BIG, SmtpRefusal } from "./smtp-refusal.ts";
import { tracedSubmission } from "./smtp-span.ts";

const session = { remoteAddress: "192.0.2.1", secure: true } as SMTPServerSession;
beforeEach(() => void takeSpans());

it.each([
  ["451", new SmtpRefusal(BUSY), SpanStatusCode.ERROR, "451"],
  ["552", new SmtpRefusal(MESSAGE_TOO_BIG), SpanStatusCode.UNSET, "552"],
  ["a throw", new StoreUnavailable("away"), SpanStatusCode.ERROR, "StoreUnavailable"],
])("names the error of a submission that ended in %s", async (_, error, status, type) => {
  await expect(tracedSubmission(session, () => Promise.reject(error))).rejects.toBe(error);
  const [span] = takeSpans();
  expect(span?.status.code).toBe(status);
  expect(span?.attributes["error.type"]).toBe(type);
});
