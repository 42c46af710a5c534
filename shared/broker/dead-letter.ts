// Dead letters: a message that no handler could take, as a new message to waypost.dead with the reason; what it was
// like travels as data. Also reads them back, with those that the broker dead-lettered itself (design, Rules 5).
import type { ConsumeMessage } from "amqplib";
import { z } from "zod";
import { parse } from "./encoding.ts";
import type { Delivery, Outgoing } from "./actor.ts";
import { HEADERS } from "./properties.ts";
import { EXCHANGES } from "./topology.ts";

const LONGEST_REASON = 1_000;
/** amqplib encodes at most 64 KiB of headers; what is longer is told by its length. */
const LONGEST_PROPERTIES = 32 * 1024;

const originalSchema = z.object({
  exchange: z.string(),
  routingKey: z.string(),
  properties: z.record(z.string(), z.unknown()),
  headers: z.record(z.string(), z.unknown()),
});
type Original = z.infer<typeof originalSchema>;

export function deadLetterOf(raw: ConsumeMessage, queue: string, reason: string): Outgoing {
  const type: unknown = raw.properties.type;
  const messageId: unknown = raw.properties.messageId;
  return {
    exchange: EXCHANGES.dead,
    routingKey: queue,
    type: typeof type === "string" ? type : "",
    body: {},
    raw: raw.content,
    ...(typeof messageId === "string" ? { messageId } : {}),
    headers: {
      [HEADERS.deadReason]: reason.slice(0, LONGEST_REASON),
      [HEADERS.deadQueue]: queue,
      [HEADERS.deadProperties]: describe(raw),
    },
  };
}

function describe(raw: ConsumeMessage): string {
  const { headers, ...properties } = raw.properties;
  const known = Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
  const original: Original = {
    exchange: raw.fields.exchange,
    routingKey: raw.fields.routingKey,
    properties: known,
    headers: headers ?? {},
  };
  const json = JSON.stringify(original);
  return json.length <= LONGEST_PROPERTIES ? json : JSON.stringify({ ...original, headers: shortened(headers ?? {}) });
}

function shortened(headers: Record<string, unknown>): Record<string, unknown> {
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
  /** The queue it died in: where a replay goes. */
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

/** Reads a delivery of the mailbox `dead-letters` (under the contract ""). */
export function readDeadLetter(delivery: Delivery<unknown>): DeadLetter {
  const { headers } = delivery;
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === "string" ? value : undefined;
  };
  const original = originalSchema.safeParse(parse(Buffer.from(header(HEADERS.deadProperties) ?? "")));
  const messageId = delivery.properties.messageId;
  return {
    reason: header(HEADERS.deadReason) ?? delivery.properties.deathReason ?? "unknown",
    queue: header(HEADERS.deadQueue) ?? delivery.properties.deathQueue ?? delivery.routingKey,
    exchange: original.data?.exchange ?? header("x-first-death-exchange") ?? "",
    routingKey: original.data?.routingKey ?? delivery.routingKey,
    type: delivery.type,
    ...(messageId === undefined ? {} : { messageId }),
    properties: original.data?.properties ?? {},
    headers: original.data?.headers ?? headers,
    body: delivery.content,
  };
}

/** A dead letter as a new message to the queue it died in. A copy may exist; no header of the broker's goes along. */
export function replayOf(letter: Pick<DeadLetter, "queue" | "type" | "messageId" | "headers" | "body">): Outgoing {
  const record = letter.headers[HEADERS.record];
  const traceparent = letter.headers[HEADERS.traceparent];
  return {
    exchange: "",
    routingKey: letter.queue,
    type: letter.type,
    body: {},
    raw: letter.body,
    ...(letter.messageId === undefined ? {} : { messageId: letter.messageId }),
    ...(typeof record === "string" ? { headers: { [HEADERS.record]: record } } : {}),
    ...(typeof traceparent === "string" ? { traceparent } : {}),
    suspect: true,
  };
}
