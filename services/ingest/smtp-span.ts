// The span of an SMTP submission, from the final dot to its reply: where the trace of the job begins.
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { SMTPServerSession } from "smtp-server";
import { ATTRIBUTES } from "#shared/telemetry/names.ts";
import { SmtpRefusal } from "./smtp-refusal.ts";

const ACCEPTED = "250";

export async function tracedSubmission<T>(session: SMTPServerSession, work: () => Promise<T>): Promise<T> {
  const attributes = {
    [ATTRIBUTES.networkProtocolName]: "smtp",
    [ATTRIBUTES.networkPeerAddress]: session.remoteAddress,
    [ATTRIBUTES.tlsEstablished]: session.secure,
  };
  const span = trace.getTracer("waypost").startSpan("submit smtp", { kind: SpanKind.SERVER, attributes }, ROOT_CONTEXT);
  try {
    const answer = await context.with(trace.setSpan(ROOT_CONTEXT, span), work);
    span.setAttribute(ATTRIBUTES.smtpReplyCode, ACCEPTED);
    return answer;
  } catch (error) {
    if (error instanceof SmtpRefusal) span.setAttribute(ATTRIBUTES.smtpReplyCode, String(error.responseCode));
    if (!(error instanceof SmtpRefusal) || error.responseCode < 500) span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}
