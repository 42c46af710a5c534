// Puts a MIME entity and its detached signature together as multipart/signed (RFC 1847, RFC 8551 §3.5.3).
// What is signed are the entity's own bytes from its first Content- header to its end, CRLF lines, 7 bits: nobody on the way need touch it.
import { createHash } from "node:crypto";

export interface SplitMessage {
  /** Header lines that stay outside, CRLF-terminated each. */
  outer: Buffer;
  /** What is signed, in pieces that share memory with the message. */
  entity: readonly Buffer[];
}

const BLANK_LINE = Buffer.from("\r\n\r\n");

/** The header lines of a block, each with its folded continuations. */
function unfoldedLines(block: string): string[] {
  return block.split(/\r\n(?![ \t])/).filter((line) => line !== "");
}

/** What stays outside of a header block, and the entity's header fields with the empty line behind them. */
function splitBlock(block: string): { outer: Buffer; inner: Buffer } {
  const lines = unfoldedLines(block);
  const isInner = (line: string): boolean => /^content-/i.test(line);
  const join = (chosen: readonly string[]): string => chosen.map((line) => `${line}\r\n`).join("");
  return {
    outer: Buffer.from(join(lines.filter((line) => !isInner(line))), "latin1"),
    inner: Buffer.from(`${join(lines.filter(isInner))}\r\n`, "latin1"),
  };
}

/**
 * Splits a message into the headers that stay outside (Subject, From, DKIM-Signature, …) and the entity that is signed
 * (Content-* and the body). MIME-Version stays outside. The body is not copied.
 */
export function splitForSigning(headers: Buffer, content: Buffer): SplitMessage {
  const end = content.indexOf(BLANK_LINE);
  const hasOnlyHeaders = end < 0;
  const block = Buffer.concat([headers, hasOnlyHeaders ? content : content.subarray(0, end + 2)]).toString("latin1");
  const { outer, inner } = splitBlock(block);
  const body = hasOnlyHeaders ? Buffer.alloc(0) : content.subarray(end + BLANK_LINE.length);
  return { outer, entity: [inner, body] };
}

/** SHA-256 of the entity in a content that comes in chunks: no more of it is held than its header and one chunk. */
export async function digestOf(chunks: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<Buffer> {
  const hash = createHash("sha256");
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head === undefined) {
      hash.update(chunk);
      continue;
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    if (!head.includes(BLANK_LINE)) continue;
    for (const piece of splitForSigning(Buffer.alloc(0), head).entity) hash.update(piece);
    head = undefined;
  }
  if (head !== undefined) for (const piece of splitForSigning(Buffer.alloc(0), head).entity) hash.update(piece);
  return hash.digest();
}

export interface Signature {
  /** Base64 of the DER of the detached SignedData. */
  der: string;
  boundary: string;
}

/** A boundary that follows from the digest: the same entity is put together the same way each time. */
export function boundaryOf(digest: Buffer): string {
  return `waypost-signed-${digest.toString("hex").slice(0, 40)}`;
}

/** The whole message in pieces: outer headers, then multipart/signed around the unchanged entity. */
export function composeSigned(message: SplitMessage, signature: Signature): readonly Buffer[] {
  const { boundary } = signature;
  const wrapped = signature.der.match(/.{1,76}/g) ?? [];
  const head =
    `Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256;\r\n` +
    ` boundary="${boundary}"\r\n\r\n` +
    `This is a message with a cryptographic signature (S/MIME).\r\n\r\n--${boundary}\r\n`;
  const tail =
    `\r\n--${boundary}\r\n` +
    `Content-Type: application/pkcs7-signature; name="smime.p7s"\r\n` +
    `Content-Transfer-Encoding: base64\r\n` +
    `Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n` +
    `${wrapped.join("\r\n")}\r\n\r\n--${boundary}--\r\n`;
  const hasMimeVersion = /^mime-version:/im.test(message.outer.toString("latin1"));
  const version = hasMimeVersion ? "" : "MIME-Version: 1.0\r\n";
  return [message.outer, Buffer.from(version + head), ...message.entity, Buffer.from(tail)];
}
