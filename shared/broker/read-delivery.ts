// From an AMQP message to a typed delivery, by the contract of its type; or why it is refused.
import type { ConsumeMessage } from "amqplib";
import type { z } from "zod";
import type { Contracts, Delivery } from "./actor.ts";
import { traceparentOf } from "#shared/telemetry/propagate.ts";
import { contextOfCaller } from "#shared/telemetry/propagators.ts";
import { decodeBody, parse } from "./encoding.ts";
import { HEADERS } from "./properties.ts";

export type ReadResult<M> = { ok: true; delivery: Delivery<M> } | { ok: false; reason: string };

/** The contract for what comes from outside, whatever its type. */
const FROM_OUTSIDE = "";
const MOST_ISSUES = 5;

export function readDelivery<M>(raw: ConsumeMessage, queue: string, contracts: Contracts<M>): ReadResult<M> {
  const headers: Record<string, unknown> = raw.properties.headers ?? {};
  const type = text(raw.properties.type) ?? "";
  const schema = contractOf(contracts, type);
  if (schema === undefined) return { ok: false, reason: `no message of type ${JSON.stringify(type)} is taken here` };
  // What comes from outside may have died in any queue of its application's before, and says what it likes.
  if (!schema.isFromOutside && text(headers["x-first-death-reason"]) === "delivery_limit") {
    return { ok: false, reason: `delivery limit reached in ${text(headers["x-first-death-queue"]) ?? "a queue"}` };
  }
  const { json, content } = schema.isFromOutside
    ? { json: parse(raw.content), content: raw.content }
    : decodeBody(raw.content);
  const parsed = schema.contract.safeParse(json);
  if (!parsed.success) return { ok: false, reason: `not a valid ${type || "message"}: ${issuesOf(parsed.error)}` };
  // What an application sent is read as OTEL_PROPAGATORS says.
  const traceparent = schema.isFromOutside
    ? traceparentOf(contextOfCaller(headers))
    : text(headers[HEADERS.traceparent]);
  return { ok: true, delivery: deliveryOf(raw, queue, { type, message: parsed.data, content, headers, traceparent }) };
}

function contractOf<M>(
  contracts: Contracts<M>,
  type: string,
): { contract: z.ZodType<M>; isFromOutside: boolean } | undefined {
  const known = type !== FROM_OUTSIDE && Object.hasOwn(contracts, type) ? contracts[type] : undefined;
  if (known !== undefined) return { contract: known, isFromOutside: false };
  const outside = Object.hasOwn(contracts, FROM_OUTSIDE) ? contracts[FROM_OUTSIDE] : undefined;
  return outside === undefined ? undefined : { contract: outside, isFromOutside: true };
}

/** Paths and messages, never values: a refused message may hold anything. */
function issuesOf(error: z.ZodError): string {
  const shown = error.issues.slice(0, MOST_ISSUES).map((issue) => `${issue.path.join(".") || "."}: ${issue.message}`);
  return shown.join("; ");
}

type Read<M> = Pick<Delivery<M>, "type" | "message" | "content" | "headers" | "traceparent">;

function deliveryOf<M>(raw: ConsumeMessage, queue: string, read: Read<M>): Delivery<M> {
  const { headers } = read;
  return {
    ...read,
    suspect: raw.fields.redelivered || headers[HEADERS.suspect] === true,
    queue,
    exchange: raw.fields.exchange,
    routingKey: raw.fields.routingKey,
    bytes: raw.content.length,
    properties: propertiesOf(raw, headers),
  };
}

function propertiesOf(raw: ConsumeMessage, headers: Record<string, unknown>): Delivery<unknown>["properties"] {
  const properties: Delivery<unknown>["properties"] = {};
  const set = (key: keyof Delivery<unknown>["properties"], value: unknown): void => {
    if (typeof value === "string" && value !== "") properties[key] = value;
  };
  set("messageId", raw.properties.messageId);
  set("correlationId", raw.properties.correlationId);
  set("replyTo", raw.properties.replyTo);
  set("userId", raw.properties.userId);
  set("contentType", raw.properties.contentType);
  set("deathReason", headers["x-first-death-reason"]);
  set("deathQueue", headers["x-first-death-queue"]);
  return properties;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
