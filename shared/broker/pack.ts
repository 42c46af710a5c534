// Several messages as one: a line of JSON that says what each is like, and their bodies behind it. Each part has what it
// would have alone, its own mark of suspicion and trace context among it, and is read back as a message of its own.
import type { ConsumeMessage } from "amqplib";
import { z } from "zod";
import type { Outgoing, PackTarget } from "./actor.ts";
import { decodeBody } from "./encoding.ts";
import { isFromBroker } from "./from-broker.ts";
import { HEADERS, headersOf } from "./properties.ts";
import type { Publishable } from "./publish-job.ts";
import { PACKED_MAILBOXES, QUEUES } from "./topology.ts";

const PACK = "pack";

const partSchema = z.object({
  bytes: z.int().nonnegative(),
  type: z.string(),
  contentType: z.string(),
  messageId: z.string().optional(),
  headers: z.record(z.string(), z.unknown()),
});
type Part = z.infer<typeof partSchema>;

const packSchema = z.object({ version: z.literal(1), parts: z.array(partSchema).min(1) });

function partOf(publishable: Publishable): Part {
  const { message, body, contentType, record } = publishable;
  const { type, messageId } = message;
  const named = messageId === undefined ? {} : { messageId };
  return { bytes: body.length, type, contentType, ...named, headers: headersOf(publishable, record) };
}

/** The message that holds them all, in their order. */
export function packOf(target: PackTarget, messages: readonly Publishable[]): Outgoing {
  return {
    ...target,
    type: PACK,
    body: { version: 1, parts: messages.map(partOf) } satisfies z.infer<typeof packSchema>,
    content: Buffer.concat(messages.map(({ body }) => body)),
    headers: { [HEADERS.parts]: String(messages.length) },
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Only where our own services alone can publish, or from there by way of the broker: nobody else's word makes several of one. */
export function isPack(raw: ConsumeMessage, queue: string): boolean {
  if (raw.properties.type !== PACK) return false;
  if (PACKED_MAILBOXES.includes(queue)) return true;
  // The key under which a queue dead-letters is the queue's own; what the headers say may be an application's.
  const diedPacked = queue === QUEUES.deadLetters && PACKED_MAILBOXES.includes(raw.fields.routingKey);
  return diedPacked && isFromBroker(raw.properties.headers ?? {});
}

/** How many deliveries a message is. */
export function weightOf(raw: ConsumeMessage, queue: string): number {
  if (!isPack(raw, queue)) return 1;
  const parts = Number(text(raw.properties.headers?.[HEADERS.parts]));
  return Number.isSafeInteger(parts) && parts > 0 ? parts : 1;
}

/** The parts as messages that came alone, in their order; undefined where this is no pack. */
export function unpack(raw: ConsumeMessage): ConsumeMessage[] | undefined {
  const { json, content } = decodeBody(raw.content);
  const pack = packSchema.safeParse(json);
  if (!pack.success) return undefined;
  const { parts } = pack.data;
  if (parts.reduce((sum, { bytes }) => sum + bytes, 0) !== content.length) return undefined;
  const common = commonHeaders(raw);
  let end = 0;
  return parts.map(({ bytes, headers, ...properties }) => {
    const start = end;
    end += bytes;
    return {
      fields: raw.fields,
      properties: { ...NO_PROPERTIES, ...properties, headers: { ...headers, ...common } },
      content: content.subarray(start, end),
    };
  });
}

const NO_PROPERTIES: ConsumeMessage["properties"] = {
  contentType: undefined,
  contentEncoding: undefined,
  headers: undefined,
  deliveryMode: undefined,
  priority: undefined,
  correlationId: undefined,
  replyTo: undefined,
  expiration: undefined,
  messageId: undefined,
  timestamp: undefined,
  type: undefined,
  userId: undefined,
  appId: undefined,
  clusterId: undefined,
};

/** What holds for each part: what the broker says of the whole, and that a copy of the whole may exist. */
function commonHeaders(raw: ConsumeMessage): Record<string, unknown> {
  const headers: Record<string, unknown> = raw.properties.headers ?? {};
  const isCommon = (name: string): boolean => name.startsWith("x-") || name === HEADERS.suspect;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => isCommon(name)));
}
