// A message's header frame with an empty table of headers. An application may nest tables deeper than amqplib, which goes down
// by calling itself, can follow: the connection would break, and again with each delivery of that message.

const HEADER_FRAME = 2;
const BEFORE_PAYLOAD = 7;
/** Class, weight and the size of the body stand before them. */
const FLAGS = BEFORE_PAYLOAD + 12;
const HAS = { contentType: 0x80_00, contentEncoding: 0x40_00, headers: 0x20_00 } as const;

/** What came in with its first frame changed; undefined where that is no whole frame of a message with headers. */
export function withoutHeaders(incoming: Buffer): Buffer | undefined {
  if (incoming.length < FLAGS + 2 || incoming[0] !== HEADER_FRAME) return undefined;
  const size = incoming.readUInt32BE(3);
  const flags = incoming.readUInt16BE(FLAGS);
  if (incoming.length <= BEFORE_PAYLOAD + size || (flags & HAS.headers) === 0) return undefined;
  let table = FLAGS + 2;
  for (const flag of [HAS.contentType, HAS.contentEncoding]) {
    if ((flags & flag) !== 0) table += 1 + (incoming[table] ?? 0);
  }
  const length = incoming.readUInt32BE(table);
  const before = Buffer.from(incoming.subarray(0, table));
  before.writeUInt32BE(size - length, 3);
  return Buffer.concat([before, Buffer.alloc(4), incoming.subarray(table + 4 + length)]);
}
