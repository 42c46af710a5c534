// Makes a message of ASCII only for a server without 8BITMIME: leaves of the MIME tree are encoded anew (RFC 6152 §3).
// What a signature or an encryption covers is not touched: such a message stays as it is or is not sent.
import { isAscii } from "node:buffer";
import { encodeBase64, encodeQuotedPrintable, MOST_QUOTED } from "#shared/email/transfer-encoding.ts";

interface Part {
  /** Header lines without the empty one, latin1, CRLF-terminated. */
  headers: string;
  body: Buffer;
}

const DEEPEST = 50;
/** In the whole tree: a body may have millions of delimiter lines. */
const MOST_PARTS = 1_000;
/** Of one part, as of a whole message at the door: patterns take a stack for what is longer. */
const MOST_HEADER_BYTES = 1_048_576;
const UNTOUCHABLE = /^multipart\/(?:signed|encrypted)\b/i;

function split(message: Buffer): Part {
  const end = message.indexOf("\r\n\r\n");
  if (message.subarray(0, 2).equals(Buffer.from("\r\n"))) return { headers: "", body: message.subarray(2) };
  if (end === -1) return { headers: message.toString("latin1"), body: Buffer.alloc(0) };
  return { headers: message.toString("latin1", 0, end + 2), body: message.subarray(end + 4) };
}

function fieldOf(headers: string, name: string): string | undefined {
  const field = new RegExp(`^${name}:((?:.*(?:\r\n[ \t])?)*)`, "im").exec(headers)?.[1];
  return field?.replace(/\r\n(?=[ \t])/g, "").trim();
}

function withEncoding(headers: string, encoding: string): string {
  const field = `Content-Transfer-Encoding: ${encoding}\r\n`;
  const existing = /^Content-Transfer-Encoding:.*(?:\r\n[ \t].*)*\r\n/im;
  if (existing.test(headers)) return headers.replace(existing, field);
  const hasMime = fieldOf(headers, "Content-Type") !== undefined;
  return headers + (hasMime ? "" : "Content-Type: text/plain; charset=unknown-8bit\r\n") + field;
}

const join = ({ headers, body }: Part): Buffer => Buffer.concat([Buffer.from(`${headers}\r\n`, "latin1"), body]);

/** Encoded as it says, but for some bytes: encoded once more it would be read by nobody. */
function encodeStrayBytes({ headers, body }: Part, encoding: string): Part | undefined {
  // What is not of its alphabet is ignored (RFC 2045 §6.8).
  if (encoding === "base64") return { headers, body: Buffer.from(body.filter((byte) => byte < 0x80)) };
  if (body.length > MOST_QUOTED) return undefined;
  const quoted = body
    .toString("latin1")
    .replace(/[\u0080-\u00ff]/g, (byte) => `=${byte.charCodeAt(0).toString(16).toUpperCase()}`);
  return { headers, body: Buffer.from(quoted, "latin1") };
}

function encodeLeaf({ headers, body }: Part, type: string): Part | undefined {
  const encoding = fieldOf(headers, "Content-Transfer-Encoding")?.toLowerCase() ?? "7bit";
  if (/^(?:base64|quoted-printable)$/.test(encoding)) return encodeStrayBytes({ headers, body }, encoding);
  if (/^text\//i.test(type) && body.length <= MOST_QUOTED) {
    return { headers: withEncoding(headers, "quoted-printable"), body: encodeQuotedPrintable(body) };
  }
  return { headers: withEncoding(headers, "base64"), body: encodeBase64(body) };
}

function boundaryOf(type: string): string | undefined {
  const match = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))/i.exec(type);
  return match?.[1]?.replace(/\\(.)/g, "$1") ?? match?.[2];
}

interface Span {
  start: number;
  end: number;
}

/** Where the parts stand between their delimiter lines, told one by one. */
function* spansOf(body: Buffer, boundary: string): Generator<Span> {
  const delimiter = `--${boundary}`;
  const next = (from: number): number => body.indexOf(`\n${delimiter}`, from) + 1;
  const isFirstLine = body.toString("latin1", 0, delimiter.length) === delimiter;
  let open: number | undefined;
  for (let at = isFirstLine ? 0 : next(0) || -1; at !== -1; at = next(at + delimiter.length) || -1) {
    if (open !== undefined) yield { start: open, end: at - 2 };
    const lineEnd = body.indexOf("\r\n", at);
    if (lineEnd === -1 || body.toString("latin1", at + delimiter.length, at + delimiter.length + 2) === "--") break;
    open = lineEnd + 2;
  }
}

/** Where in the tree a part stands, and how many more there may be anywhere in it. */
interface Place {
  depth: number;
  left: { parts: number };
}

const below = ({ depth, left }: Place): Place => ({ depth: depth + 1, left });

function encodeMultipart({ headers, body }: Part, type: string, place: Place): Part | undefined {
  const boundary = boundaryOf(type);
  if (boundary === undefined) return undefined;
  const pieces: Buffer[] = [];
  let done = 0;
  for (const { start, end } of spansOf(body, boundary)) {
    if (place.left.parts === 0) return undefined;
    place.left.parts -= 1;
    const encoded = encode(split(body.subarray(start, Math.max(start, end))), below(place));
    if (encoded === undefined) return undefined;
    pieces.push(body.subarray(done, start), join(encoded));
    done = Math.max(start, end);
  }
  pieces.push(body.subarray(done));
  const whole = Buffer.concat(pieces);
  return isAscii(whole) ? { headers: withEncoding(headers, "7bit"), body: whole } : undefined;
}

function encode(part: Part, place: Place): Part | undefined {
  if (isAscii(part.body)) return part;
  if (place.depth > DEEPEST || part.headers.length > MOST_HEADER_BYTES) return undefined;
  const type = fieldOf(part.headers, "Content-Type") ?? "text/plain";
  if (UNTOUCHABLE.test(type)) return undefined;
  if (/^multipart\//i.test(type)) return encodeMultipart(part, type, place);
  if (!/^message\//i.test(type)) return encodeLeaf(part, type);
  const inner = encode(split(part.body), below(place));
  return inner === undefined ? undefined : { headers: withEncoding(part.headers, "7bit"), body: join(inner) };
}

/** The message in ASCII, or undefined where MIME does not allow it. Its own header must be ASCII already. */
export function toSevenBit(message: Buffer): Buffer | undefined {
  const part = split(message);
  const encoded = encode(part, { depth: 0, left: { parts: MOST_PARTS } });
  if (encoded === undefined) return undefined;
  const hasVersion = fieldOf(part.headers, "MIME-Version") !== undefined;
  const headers = hasVersion ? encoded.headers : `${encoded.headers}MIME-Version: 1.0\r\n`;
  const result = join({ headers, body: encoded.body });
  return isAscii(result) ? result : undefined;
}
