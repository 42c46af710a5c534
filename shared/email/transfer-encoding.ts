// Transfer encodings (RFC 2045 §6.7, §6.8): read strictly, as a caller may have used them in JSON; written for MIME.
import { setImmediate as othersTurn } from "node:timers/promises";
import { encode as encodeQp, wrap as wrapQp } from "nodemailer/lib/qp";

/** A longer text takes base64, which needs a tenth of the memory and time, and is not read in its source. */
export const MOST_QUOTED = 256 * 1024;

/** The bytes of base64 (white space allowed), or undefined where it is none. */
export function decodeBase64(text: string): Buffer | undefined {
  try {
    const bytes = Uint8Array.fromBase64(text);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch {
    return undefined;
  }
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const EQUALS = 0x3d;

/** What each byte is as a hexadecimal digit: NaN where it is none. */
const DIGITS = Array.from({ length: 256 }, (_, byte) => Number.parseInt(String.fromCharCode(byte), 16));

interface Span {
  start: number;
  end: number;
}

/**
 * The bytes of quoted-printable, or undefined where it is none: an `=` without two hex digits or a line end, or a character
 * outside ASCII. Decoded where they are, byte by byte: patterns take seconds for the longest text of a request.
 */
export function decodeQuotedPrintable(text: string): Buffer | undefined {
  if (/\P{ASCII}/u.test(text)) return undefined;
  const bytes = Buffer.from(text, "latin1");
  let length = 0;
  for (let start = 0, next = 0; start < bytes.length; start = next) {
    const found = bytes.indexOf(LINE_FEED, start);
    next = found === -1 ? bytes.length : found + 1;
    const breakAt = found > start && bytes[found - 1] === CARRIAGE_RETURN ? found - 1 : found === -1 ? next : found;
    const end = withoutTransportPadding(bytes, { start, end: breakAt });
    const isSoft = found !== -1 && end > start && bytes[end - 1] === EQUALS;
    const decoded = decodeLine(bytes, { start, end: isSoft ? end - 1 : end }, length);
    if (decoded === undefined) return undefined;
    length = isSoft ? decoded : decoded + bytes.copy(bytes, decoded, breakAt, next);
  }
  return bytes.subarray(0, length);
}

/** White space at the end of a line was put there on the way (RFC 2045 §6.7, rule 3). */
function withoutTransportPadding(bytes: Buffer, { start, end }: Span): number {
  let at = end;
  while (at > start && (bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) at -= 1;
  return at;
}

/** Writes what a line stands for to `to`, and returns where that ends; undefined where it is not quoted-printable. */
function decodeLine(bytes: Buffer, { start, end }: Span, to: number): number | undefined {
  let length = to;
  for (let at = start; at < end; at += 1) {
    let byte = bytes[at] ?? 0;
    if (byte === EQUALS) {
      byte = at + 2 < end ? digitOf(bytes[at + 1]) * 16 + digitOf(bytes[at + 2]) : Number.NaN;
      if (Number.isNaN(byte)) return undefined;
      at += 2;
    }
    bytes[length] = byte;
    length += 1;
  }
  return length;
}

const digitOf = (byte: number | undefined): number => DIGITS[byte ?? 0] ?? Number.NaN;

/** Two characters less than a line may have: for the `F` of a line that would begin with `From `. */
const QUOTED_LINE = 74;

/** Text bytes as quoted-printable with CRLF line ends; no line begins with `From `, which stores of mail would alter. */
export function encodeQuotedPrintable(bytes: Buffer): Buffer {
  return Buffer.from(wrapQp(encodeQp(bytes), QUOTED_LINE).replace(/^From /gm, "=46rom "), "latin1");
}

/** Some 2 ms. */
const QUOTED_AT_ONCE = 64 * 1024;

/** Where a piece that is encoded at once ends: behind its last line end, where it has one, and never within one. */
function endOfPiece(bytes: Buffer, start: number): number {
  const most = start + QUOTED_AT_ONCE;
  if (most >= bytes.length) return bytes.length;
  const lineEnd = bytes.subarray(start, most).lastIndexOf(LINE_FEED) + 1;
  if (lineEnd > 0) return start + lineEnd;
  return bytes[most] === LINE_FEED ? most - 1 : most;
}

/** The same for a long text: lets other work in between. */
export async function encodeLongQuotedPrintable(bytes: Buffer): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let start = 0, end = 0; start < bytes.length; start = end) {
    if (start > 0) await othersTurn();
    end = endOfPiece(bytes, start);
    pieces.push(encodeQuotedPrintable(bytes.subarray(start, end)));
    // A line that is longer than what is encoded at once goes on behind a soft line break.
    if (end < bytes.length && bytes[end - 1] !== LINE_FEED) pieces.push(Buffer.from("=\r\n"));
  }
  return Buffer.concat(pieces);
}

/** Bytes in a base64 line of 76 characters. */
const LINE_BYTES = 57;
const LINE_LENGTH = 78;
/** Lines encoded before other work gets a turn: some 2 MB. */
const LINES_AT_ONCE = 36_000;

/** Length of so many bytes as base64 in lines of 76 characters with CRLF. */
export function base64Length(bytes: number): number {
  const rest = bytes % LINE_BYTES;
  return Math.floor(bytes / LINE_BYTES) * LINE_LENGTH + (rest === 0 ? 0 : Math.ceil(rest / 3) * 4 + 2);
}

interface Target {
  out: Buffer;
  at: number;
}

/** Writes one line, and returns its length. */
function writeLine(bytes: Buffer, line: number, { out, at }: Target): number {
  const encoded = bytes.toString("base64", line * LINE_BYTES, (line + 1) * LINE_BYTES);
  return out.write(`${encoded}\r\n`, at, "latin1");
}

/** Bytes as base64, in as much memory as that takes. */
export function encodeBase64(bytes: Buffer): Buffer {
  const out = Buffer.allocUnsafe(base64Length(bytes.length));
  let end = 0;
  for (let line = 0; end < out.length; line += 1) end += writeLine(bytes, line, { out, at: end });
  return out;
}

/** Writes bytes as base64 into `out`, and returns their length there; lets other work in between where there are many. */
export async function writeBase64(bytes: Buffer, out: Buffer): Promise<number> {
  const lines = Math.ceil(bytes.length / LINE_BYTES);
  let end = 0;
  for (let line = 0; line < lines; line += 1) {
    if (line > 0 && line % LINES_AT_ONCE === 0) await othersTurn();
    end += writeLine(bytes, line, { out, at: end });
  }
  return end;
}
