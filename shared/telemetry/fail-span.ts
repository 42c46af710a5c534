// How a span says that its operation failed: by status, and by the class of the error.
import type { Span } from "@opentelemetry/api";
import { SpanStatusCode } from "@opentelemetry/api";
import { ATTRIBUTES } from "./names.ts";

export function failSpan(span: Span, errorType: string): void {
  span.setAttribute(ATTRIBUTES.errorType, errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

export function errorTypeOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
