// AMQP properties and headers of what we publish, built afresh: nothing is copied from an incoming message.
import type { Options } from "amqplib";
import { isForOthers } from "./letting-go.ts";
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

/** In a header: amqplib encodes at most 64 KiB of properties. */
export const MOST_RECORD_BYTES = 16 * 1024;

/** `record`: what goes into its header. */
export function headersOf(publishable: Publishable, record: string | undefined): Record<string, unknown> {
  const { message, suspect, traceparent } = publishable;
  const headers: Record<string, unknown> = message.headers === undefined ? {} : { ...message.headers };
  if (suspect) headers[HEADERS.suspect] = true;
  if (record !== undefined) headers[HEADERS.record] = record;
  if (traceparent !== undefined) headers[HEADERS.traceparent] = traceparent;
  return headers;
}

function recordAlone({ message, record }: Publishable): string | undefined {
  if (message.publicRecord === undefined) return record;
  const json = JSON.stringify(message.publicRecord);
  return Buffer.byteLength(json) <= MOST_RECORD_BYTES ? json : undefined;
}

export function publishOptionsOf(publishable: Publishable): Options.Publish {
  const { message, contentType } = publishable;
  const options: Options.Publish = {
    contentType,
    type: message.type,
    headers: headersOf(publishable, recordAlone(publishable)),
    persistent: message.transient !== true,
    mandatory: !isForOthers(message),
  };
  if (message.messageId !== undefined) options.messageId = message.messageId;
  if (message.correlationId !== undefined) options.correlationId = message.correlationId;
  if (message.replyTo !== undefined) options.replyTo = message.replyTo;
  if (message.expirationMs !== undefined) options.expiration = String(Math.max(0, Math.ceil(message.expirationMs)));
  return options;
}
