// The span of a REST submission: continues the caller's trace (callers are authenticated) or begins one; it is the
// context that the job and all its mails carry.
import { context, SpanKind, trace } from "@opentelemetry/api";
import type { FastifyReply, FastifyRequest } from "fastify";
import { errorTypeOf, failSpan } from "#shared/telemetry/fail-span.ts";
import { ATTRIBUTES } from "#shared/telemetry/names.ts";
import { contextOfCaller } from "#shared/telemetry/propagators.ts";

const ROUTE = "/v1/jobs";

export async function tracedRequest<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  work: () => Promise<T>,
): Promise<T> {
  const parent = contextOfCaller(request.headers);
  const tracer = trace.getTracer("waypost");
  const attributes = {
    [ATTRIBUTES.httpRequestMethod]: "POST",
    [ATTRIBUTES.httpRoute]: ROUTE,
    [ATTRIBUTES.urlPath]: ROUTE,
    [ATTRIBUTES.urlScheme]: "http",
    ...(request.account === undefined ? {} : { [ATTRIBUTES.account]: request.account._id }),
  };
  const span = tracer.startSpan(`POST ${ROUTE}`, { kind: SpanKind.SERVER, attributes }, parent);
  try {
    const answer = await context.with(trace.setSpan(parent, span), work);
    span.setAttribute(ATTRIBUTES.httpResponseStatusCode, reply.statusCode);
    if (reply.statusCode >= 500) failSpan(span, String(reply.statusCode));
    return answer;
  } catch (error) {
    // Its status is chosen later, by the error handler.
    failSpan(span, errorTypeOf(error));
    throw error;
  } finally {
    span.end();
  }
}
