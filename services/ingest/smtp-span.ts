// The span of an SMTP submission, from the final dot to its reply: where the trace of the job begins.
import type { Span } from "@opentelemetry/api";
import { context, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import type { SMTPServerSession } from "smtp-server";
import { errorTypeOf, failSpan } from "#shared/telemetry/fail-span.ts";
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
    if (error instanceof SmtpRefusal) refuse(span, error.responseCode);
    else failSpan(span, errorTypeOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** A permanent refusal is the client's mistake, no failure of ours. */
function refuse(span: Span, responseCode: number): void {
  const code = String(responseCode);
  span.setAttribute(ATTRIBUTES.smtpReplyCode, code);
  if (responseCode < 500) failSpan(span, code);
  else span.setAttribute(ATTRIBUTES.errorType, code);
}
