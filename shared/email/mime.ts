// The body of a job as MIME, encoded once: what stands below the header block of each of its mails. Everything is 7-bit
// with CRLF and lines of at most 998 characters, so that no server on the way needs 8BITMIME or has to touch it.
import { setImmediate as othersTurn } from "node:timers/promises";
import MimeNode from "nodemailer/lib/mime-node";
import { encodeText } from "./charset.ts";
import { base64Length, encodeLongQuotedPrintable, MOST_QUOTED, writeBase64 } from "./transfer-encoding.ts";

export interface TextPart {
  text: string;
  charset: string;
  transferEncoding: "7bit" | "8bit" | "quoted-printable" | "base64" | undefined;
}

export interface MimeAttachment {
  name: string;
  contentType?: string | undefined;
  content: Buffer;
}

export interface MimeContent {
  body?: (TextPart & { contentType: "text/plain" | "text/html" }) | undefined;
  alternative?: TextPart | undefined;
  attachments?: readonly MimeAttachment[] | undefined;
  /** Ends up in the boundaries: unique to the job, not to be guessed by whoever writes its body. */
  seed: string;
}

/** A part with its headers, in pieces that are written once, where they belong. */
type Piece = string | Buffer | { base64: Buffer };
type Part = readonly Piece[];

const EMPTY_BODY: TextPart = { text: "", charset: "utf-8", transferEncoding: undefined };
const MOST_IN_LINE = 998;
/** Whose headers are written before other work gets a turn: some 30 ms. */
const ATTACHMENTS_AT_ONCE = 500;
/** Printable ASCII, tab and line ends. */
const SEVEN_BIT = /^[\t\r\n -~]*$/;

/** The part's headers, the empty line and the encoded text. */
async function textPart(part: TextPart, contentType: string): Promise<Part> {
  const text = part.text.replace(/\r\n|\r|\n/g, "\r\n");
  const { charset, bytes } = encodeText(text, part.charset);
  const encoding = transferEncodingOf(text, part.transferEncoding);
  const headers = `Content-Type: ${contentType}; charset=${charset}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`;
  if (encoding === "base64") return [headers, { base64: bytes }];
  return [
    headers,
    encoding === "quoted-printable" ? await encodeLongQuotedPrintable(bytes) : bytes,
    text.endsWith("\r\n") ? "" : "\r\n",
  ];
}

/** What was asked for, where the text fits into it; otherwise the one that takes fewer bytes and stays readable. */
function transferEncodingOf(
  text: string,
  wanted: TextPart["transferEncoding"],
): "7bit" | "quoted-printable" | "base64" {
  if (wanted === "base64" || wanted === "quoted-printable") return wanted;
  if (SEVEN_BIT.test(text) && isLeftAlone(text)) return "7bit";
  return text.length <= MOST_QUOTED && isMostlyAscii(text) ? "quoted-printable" : "base64";
}

/**
 * Whether no server alters a text although it is 7-bit: lines that are too long, white space at the end of one, `From `
 * at its start (RFC 8551 §3.1.2). Looks from line end to line end: patterns take several times as long.
 */
function isLeftAlone(text: string): boolean {
  for (let start = 0; start <= text.length;) {
    const found = text.indexOf("\r\n", start);
    const end = found === -1 ? text.length : found;
    if (end - start > MOST_IN_LINE || text.startsWith("From ", start)) return false;
    if (end > start && /[ \t]/.test(text.charAt(end - 1))) return false;
    start = end + 2;
  }
  return true;
}

function isMostlyAscii(text: string): boolean {
  const others = text.length - text.replace(/[^\t\r\n -~]/g, "").length;
  return others * 4 <= text.length;
}

/** A part of type message or multipart may not be encoded (RFC 2046 §5.2.1): where it is not 7-bit, it goes as plain bytes. */
function attachmentPart(attachment: MimeAttachment): Part {
  const isComposite = /^(message|multipart)\//i.test(attachment.contentType ?? "");
  const contentType = isComposite ? "application/octet-stream" : attachment.contentType;
  const root = new MimeNode(false, { baseBoundary: "-" });
  const node = new MimeNode(contentType, { rootNode: root, parentNode: root, filename: attachment.name });
  node.setHeader("Content-Transfer-Encoding", "base64");
  node.setHeader("Content-Disposition", "attachment");
  return [`${node.buildHeaders()}\r\n\r\n`, { base64: attachment.content }];
}

function multipart(kind: "alternative" | "mixed", boundary: string, parts: readonly Part[]): Part {
  const head = `Content-Type: multipart/${kind}; boundary="${boundary}"\r\n`;
  return [head, ...parts.flatMap((part) => [`\r\n--${boundary}\r\n`, ...part]), `\r\n--${boundary}--\r\n`];
}

async function bodyPart(content: MimeContent): Promise<Part | undefined> {
  const { body, alternative, seed } = content;
  if (body === undefined) return undefined;
  const main = await textPart(body, body.contentType);
  if (alternative === undefined) return main;
  return multipart("alternative", `=_${seed}_alternative`, [await textPart(alternative, "text/plain"), main]);
}

async function attachedParts(attachments: readonly MimeAttachment[]): Promise<Part[]> {
  const parts: Part[] = [];
  for (const [index, attachment] of attachments.entries()) {
    if (index > 0 && index % ATTACHMENTS_AT_ONCE === 0) await othersTurn();
    parts.push(attachmentPart(attachment));
  }
  return parts;
}

/** The shared content of a job's mails, beginning with its Content-Type. Lets other work in between where it is large. */
export async function composeContent(content: MimeContent): Promise<Buffer> {
  const body = await bodyPart(content);
  const attached = await attachedParts(content.attachments ?? []);
  if (attached.length === 0) return write(body ?? (await textPart(EMPTY_BODY, "text/plain")));
  return write(multipart("mixed", `=_${content.seed}_mixed`, [...(body === undefined ? [] : [body]), ...attached]));
}

function sizeOf(piece: Piece): number {
  if (typeof piece === "string") return Buffer.byteLength(piece);
  return Buffer.isBuffer(piece) ? piece.length : base64Length(piece.base64.length);
}

async function write(part: Part): Promise<Buffer> {
  const out = Buffer.allocUnsafe(part.reduce((sum, piece) => sum + sizeOf(piece), 0));
  let end = 0;
  for (const piece of part) {
    if (typeof piece === "string") end += out.write(piece, end, "utf8");
    else if (Buffer.isBuffer(piece)) end += piece.copy(out, end);
    else end += await writeBase64(piece.base64, out.subarray(end));
  }
  return out;
}
