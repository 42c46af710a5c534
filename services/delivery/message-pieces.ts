// A message in the pieces it is put together from. Large bodies are shared by the mails of a job: whoever sends, signs or
// looks at a message goes through its pieces, and only small ones are copied into one.
import { isAscii } from "node:buffer";
import { Readable } from "node:stream";

export type MessagePieces = readonly Buffer[];

/** Up to this size a copy costs less than what a stream takes. */
const SMALL_BYTES = 256 * 1024;
const SLICE_BYTES = 64 * 1024;
const HEADER_END = Buffer.from("\r\n\r\n");

export function bytesOf(pieces: MessagePieces): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

function slicesOf(piece: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(piece.length / SLICE_BYTES) }, (_, index) =>
    piece.subarray(index * SLICE_BYTES, (index + 1) * SLICE_BYTES),
  );
}

/** A small message as one buffer, a large one as a stream of slices that share its memory. */
export function bufferOrStream(pieces: MessagePieces): Buffer | Readable {
  const [only, ...others] = pieces;
  if (only !== undefined && others.length === 0) return only;
  if (bytesOf(pieces) <= SMALL_BYTES) return Buffer.concat(pieces);
  return Readable.from(
    pieces.flatMap((piece) => slicesOf(piece)),
    { objectMode: false },
  );
}

/** Whether everything before the empty line is ASCII, wherever the pieces meet. */
export function hasAsciiHeader(pieces: MessagePieces): boolean {
  let before = Buffer.alloc(0);
  for (const piece of pieces) {
    const seam = Buffer.concat([before, piece.subarray(0, HEADER_END.length - 1)]);
    if (seam.includes(HEADER_END)) return true;
    const end = piece.indexOf(HEADER_END);
    if (!isAscii(end === -1 ? piece : piece.subarray(0, end))) return false;
    if (end !== -1) return true;
    before = Buffer.concat([before, piece.subarray(-3)]).subarray(1 - HEADER_END.length);
  }
  return true;
}
