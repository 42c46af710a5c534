// The body of a message: one line of JSON and, when there is content, "\n" and its raw bytes. No base64, one copy.
import { hasFewValues } from "#shared/json-values.ts";
import type { Outgoing } from "./actor.ts";

export const CONTENT_TYPE_JSON = "application/json";
/** JSON with raw bytes behind it. */
export const CONTENT_TYPE_WITH_CONTENT = "application/vnd.waypost.with-content";

const NEWLINE = 0x0a;
const NOTHING = Buffer.alloc(0);

export interface EncodedBody {
  bytes: Buffer;
  contentType: string;
}

export function encodeBody(message: Pick<Outgoing, "body" | "content" | "raw">): EncodedBody {
  if (message.raw !== undefined) return { bytes: message.raw, contentType: CONTENT_TYPE_JSON };
  const json = JSON.stringify(message.body);
  const content = message.content;
  if (content === undefined || content.length === 0) {
    return { bytes: Buffer.from(json), contentType: CONTENT_TYPE_JSON };
  }
  const length = Buffer.byteLength(json);
  const bytes = Buffer.allocUnsafe(length + 1 + content.length);
  bytes.write(json, 0);
  bytes[length] = NEWLINE;
  content.copy(bytes, length + 1);
  return { bytes, contentType: CONTENT_TYPE_WITH_CONTENT };
}

export interface DecodedBody {
  /** Undefined where the body is no JSON, or has too many values to be read. */
  json: unknown;
  content: Buffer;
}

/** Only our own messages have content behind the JSON: what comes from outside may have line ends within it. */
export function decodeBody(body: Buffer): DecodedBody {
  const end = body.indexOf(NEWLINE);
  if (end === -1) return { json: parse(body), content: NOTHING };
  return { json: parse(body.subarray(0, end)), content: body.subarray(end + 1) };
}

/** A body that is JSON as a whole; undefined where it is none, or has too many values to be read. */
export function parse(bytes: Buffer): unknown {
  if (!hasFewValues(bytes)) return undefined;
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    return undefined;
  }
}
