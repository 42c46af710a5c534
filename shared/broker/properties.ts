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

export function publishOptionsOf(entry: Publishable): Options.Publish {
  const message = entry.message;
  const headers: Record<string, unknown> = message.headers === undefined ? {} : { ...message.headers };
  if (entry.suspect) headers[HEADERS.suspect] = true;
  if (entry.record !== undefined) headers[HEADERS.record] = entry.record;
  if (entry.traceparent !== undefined) headers[HEADERS.traceparent] = entry.traceparent;
  const options: Options.Publish = {
    contentType: entry.contentType,
    type: message.type,
    headers,
    persistent: message.transient !== true,
    mandatory: message.transient !== true && message.mayBeUnrouted !== true,
  };
  if (message.messageId !== undefined) options.messageId = message.messageId;
  if (message.correlationId !== undefined) options.correlationId = message.correlationId;
  if (message.replyTo !== undefined) options.replyTo = message.replyTo;
  if (message.expirationMs !== undefined) options.expiration = String(Math.max(0, Math.ceil(message.expirationMs)));
  return options;
}
