// AMQP properties and headers of what we publish, built afresh: nothing is copied from an incoming message.
import type { Options } from "amqplib";
import type { Publishable } from "./publish-job.ts";

export const HEADERS = {
  suspect: "waypost-suspect",
  record: "waypost-record",
  parts: "waypost-parts",
  traceparent: "traceparent",
  deadReason: "waypost-dead-reason",
  deadQueue: "waypost-dead-queue",
  deadProperties: "waypost-dead-properties",
} as const;

export function headersOf({ message, suspect, record, traceparent }: Publishable): Record<string, unknown> {
  const headers: Record<string, unknown> = message.headers === undefined ? {} : { ...message.headers };
  if (suspect) headers[HEADERS.suspect] = true;
  if (record !== undefined) headers[HEADERS.record] = record;
  if (traceparent !== undefined) headers[HEADERS.traceparent] = traceparent;
  return headers;
}

export function publishOptionsOf(publishable: Publishable): Options.Publish {
  const { message, contentType } = publishable;
  const options: Options.Publish = {
    contentType,
    type: message.type,
    headers: headersOf(publishable),
    persistent: message.transient !== true,
    mandatory: message.transient !== true && message.mayBeUnrouted !== true,
  };
  if (message.messageId !== undefined) options.messageId = message.messageId;
  if (message.correlationId !== undefined) options.correlationId = message.correlationId;
  if (message.replyTo !== undefined) options.replyTo = message.replyTo;
  if (message.expirationMs !== undefined) options.expiration = String(Math.max(0, Math.ceil(message.expirationMs)));
  return options;
}
