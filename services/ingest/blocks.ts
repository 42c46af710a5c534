// Bytes that come in chunks, in few buffers: kept as it comes, a chunk of one byte takes some 300, and what bounds the
// memory of bodies and messages on their way in is their length.

/** As large as all before it, within these: a small message takes no large block. */
const LEAST_BYTES = 4 * 1024;
const MOST_BYTES = 64 * 1024;

export interface Blocks {
  readonly bytes: number;
  add(chunk: Buffer): void;
  /** All that was added, in its order. */
  all(): Buffer[];
}

/** Where it is known how much will come, it has one block. */
export function createBlocks(expectedBytes = 0): Blocks {
  const full: Buffer[] = [];
  let open: Buffer = Buffer.allocUnsafe(expectedBytes);
  let used = 0;
  let bytes = 0;
  const renew = (block: Buffer, usedOfIt: number): void => {
    if (used > 0) full.push(open);
    open = block;
    used = usedOfIt;
  };
  return {
    get bytes() {
      return bytes;
    },
    add: (chunk) => {
      // What comes first is often all there is, and then needs no copy.
      if (bytes === 0 && open.length === 0) renew(chunk, chunk.length);
      else {
        for (let done = 0; done < chunk.length;) {
          if (used === open.length)
            renew(Buffer.allocUnsafeSlow(Math.min(Math.max(bytes, LEAST_BYTES), MOST_BYTES)), 0);
          const copied = chunk.copy(open, used, done);
          done += copied;
          used += copied;
        }
      }
      bytes += chunk.length;
    },
    all: () => (used === 0 ? [] : [...full, open.subarray(0, used)]),
  };
}
