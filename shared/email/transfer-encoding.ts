// Transfer encodings (RFC 2045 §6.7, §6.8): read strictly, as a caller may have used them in JSON; written for MIME.
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

/** The bytes of quoted-printable, or undefined where it is none: an `=` without two hex digits or a line end, or a character outside ASCII. */
export function decodeQuotedPrintable(text: string): Buffer | undefined {
  const lines = text.split("\n").map((line) => withoutTransportPadding(line));
  const joined = lines.join("\n").replace(/=\r?\n/g, "");
  if (/\P{ASCII}/u.test(joined) || /=(?![0-9A-Fa-f]{2})/.test(joined)) return undefined;
  const bytes = joined.replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1");
}

/** White space at the end of a line was put there on the way (RFC 2045 §6.7, rule 3). */
function withoutTransportPadding(line: string): string {
  const isCrLf = line.endsWith("\r");
  return isCrLf ? `${line.slice(0, -1).trimEnd()}\r` : line.trimEnd();
}

/** Two characters less than a line may have: for the `F` of a line that would begin with `From `. */
const QUOTED_LINE = 74;

/** Text bytes as quoted-printable with CRLF line ends; no line begins with `From `, which stores of mail would alter. */
export function encodeQuotedPrintable(bytes: Buffer): Buffer {
  return Buffer.from(wrapQp(encodeQp(bytes), QUOTED_LINE).replace(/^From /gm, "=46rom "), "latin1");
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
    if (line > 0 && line % LINES_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
    end += writeLine(bytes, line, { out, at: end });
  }
  return end;
}
