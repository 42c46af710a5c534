// Only CRLF ends a line (RFC 5321 §2.3.8). A CR or LF on its own is how a second message is smuggled past a server that
// reads it otherwise: whatever has one is refused whole (design, Ways in).

const CR = 0x0d;
const LF = 0x0a;

export interface NewlineCheck {
  /** Looks at the next bytes; chunks may be cut anywhere. */
  push(chunk: Buffer): void;
  /** After the last byte: whether any CR or LF stood alone. */
  hasBare(): boolean;
}

/** Whether a LF without its CR, or a CR without its LF, is within `chunk`; its two edges are the caller's. */
function isBareInside(chunk: Buffer): boolean {
  for (let at = chunk.indexOf(LF, 1); at !== -1; at = chunk.indexOf(LF, at + 1)) {
    if (chunk[at - 1] !== CR) return true;
  }
  for (let at = chunk.indexOf(CR); at !== -1; at = chunk.indexOf(CR, at + 1)) {
    if (at + 1 < chunk.length && chunk[at + 1] !== LF) return true;
  }
  return false;
}

export function createNewlineCheck(): NewlineCheck {
  let endsInCr = false;
  let isBare = false;
  return {
    push: (chunk) => {
      if (isBare || chunk.length === 0) return;
      isBare = endsInCr !== (chunk[0] === LF) || isBareInside(chunk);
      endsInCr = chunk.at(-1) === CR;
    },
    hasBare: () => isBare || endsInCr,
  };
}
