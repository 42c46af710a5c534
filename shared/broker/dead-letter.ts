// Dead letters: a message that no handler could take, as a new message to waypost.dead with the reason; what it was
// like travels as data. Also reads them back, with those that the broker dead-lettered itself (design, Rules 5).
import type { ConsumeMessage } from "amqplib";
import { z } from "zod";
import { CONTENT_TYPE_JSON, parse } from "./encoding.ts";
import type { Delivery, Outgoing } from "./actor.ts";
import { isFromBroker } from "./from-broker.ts";
import { packOf } from "./pack.ts";
import { HEADERS, MOST_RECORD_BYTES } from "./properties.ts";
import { EXCHANGES, PACKED_MAILBOXES } from "./topology.ts";

const LONGEST_REASON = 1_000;
/** In bytes: amqplib encodes at most 64 KiB of headers. What is longer is told by its length, or left out. */
const LONGEST_PROPERTIES = 32 * 1024;

const originalSchema = z.object({
  exchange: z.string(),
  routingKey: z.string(),
  properties: z.record(z.string(), z.unknown()),
  headers: z.record(z.string(), z.unknown()),
});
type Original = Pick<DeadLetter, keyof z.infer<typeof originalSchema>>;

export function deadLetterOf(raw: ConsumeMessage, queue: string, reason: string): Outgoing {
  const { headers, ...properties } = raw.properties;
  const messageId: unknown = properties.messageId;
  return publishedAgain({
    reason,
    queue,
    exchange: raw.fields.exchange,
    routingKey: raw.fields.routingKey,
    type: textOf(properties.type) ?? "",
    ...(typeof messageId === "string" ? { messageId } : {}),
    properties: Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)),
    headers: headers ?? {},
    body: raw.content,
  });
}

/** A dead letter as it is published, also once more: to the end of the queue `dead-letters`. */
export function publishedAgain({ reason, queue, type, messageId, body, ...original }: DeadLetter): Outgoing {
  return {
    exchange: EXCHANGES.dead,
    routingKey: queue,
    type,
    body: {},
    raw: body,
    ...(messageId === undefined ? {} : { messageId }),
    headers: {
      [HEADERS.deadReason]: reason.slice(0, LONGEST_REASON),
      [HEADERS.deadQueue]: queue,
      [HEADERS.deadProperties]: describe(original),
    },
  };
}

/** Always of a size that can be published: what cannot be parked is never acknowledged, and holds its place for ever. */
function describe(original: Original): string {
  const versions = [original.headers, shortened(original.headers), {}].map((headers) =>
    JSON.stringify({ ...original, headers }),
  );
  return versions.find((json) => Buffer.byteLength(json) <= LONGEST_PROPERTIES) ?? "";
}

function shortened(headers: Original["headers"]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const length = JSON.stringify(value)?.length ?? 0;
      return [name, length > 1_024 ? `(${length} characters)` : value];
    }),
  );
}

export interface DeadLetter {
  /** Why: the runtime's words, or the broker's (`delivery_limit`, `expired`). */
  reason: string;
  /** The queue it died in, by its routing key at waypost.dead, which nobody else decides: where a replay goes. */
  queue: string;
  exchange: string;
  routingKey: string;
  type: string;
  messageId?: string;
  /** The properties that it had when it was handled last. */
  properties: Readonly<Record<string, unknown>>;
  headers: Readonly<Record<string, unknown>>;
  /** The whole AMQP body. */
  body: Buffer;
}

/**
 * Reads a delivery of the mailbox `dead-letters` (under the contract ""). Its routing key is the queue that it died in,
 * whoever published it; our own headers count only where the broker's are absent, for an application can write any.
 */
export function readDeadLetter(delivery: Delivery<unknown>): DeadLetter {
  const { headers, properties, routingKey } = delivery;
  const isParked = !isFromBroker(headers);
  const parked = (name: string): string | undefined => (isParked ? textOf(headers[name]) : undefined);
  const original = originalSchema.safeParse(parse(Buffer.from(parked(HEADERS.deadProperties) ?? ""))).data;
  const reason = parked(HEADERS.deadReason) ?? properties.deathReason ?? "unknown";
  return {
    reason: reason.slice(0, LONGEST_REASON),
    queue: routingKey,
    exchange: original?.exchange ?? textOf(headers["x-first-death-exchange"]) ?? "",
    routingKey: original?.routingKey ?? routingKey,
    type: delivery.type,
    ...(properties.messageId === undefined ? {} : { messageId: properties.messageId }),
    properties: original?.properties ?? userOf(properties),
    headers: original?.headers ?? headers,
    body: delivery.content,
  };
}

/** Of what the broker dead-lettered itself: it checked the user when the message was published, and keeps it. */
function userOf({ userId }: Delivery<unknown>["properties"]): DeadLetter["properties"] {
  return userId === undefined ? {} : { userId };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A dead letter as a new message to the queue it died in. A copy may exist; no header of the broker's goes along. */
export function replayOf(letter: Pick<DeadLetter, "queue" | "type" | "messageId" | "headers" | "body">): Outgoing {
  const record = letter.headers[HEADERS.record];
  const traceparent = letter.headers[HEADERS.traceparent];
  const target = { exchange: "", routingKey: letter.queue };
  const message: Outgoing = {
    ...target,
    type: letter.type,
    body: {},
    raw: letter.body,
    ...(letter.messageId === undefined ? {} : { messageId: letter.messageId }),
    ...(typeof record === "string" ? { headers: { [HEADERS.record]: record } } : {}),
    ...(typeof traceparent === "string" ? { traceparent } : {}),
    suspect: true,
  };
  const isLong = typeof record === "string" && Buffer.byteLength(record) > MOST_RECORD_BYTES;
  if (!isLong || !PACKED_MAILBOXES.includes(letter.queue)) return message;
  // A record that is longer than a header may be came in a pack.
  const contentType = CONTENT_TYPE_JSON;
  const part = { message, body: letter.body, contentType, record, traceparent: message.traceparent, suspect: true };
  return packOf(target, [part]);
}
