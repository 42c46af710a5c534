import fc from "fast-check";
import { expect, it } from "vitest";
import { createBlocks } from "./blocks.ts";

it("gives back what came, however it was cut", () => {
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.nat(200_000).map((length) => new Uint8Array(length).fill(7)),
  );
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 12 }), (parts) => {
      const chunks = parts.map((part) => Buffer.from(part));
      const blocks = createBlocks();
      for (const part of chunks) blocks.add(part);
      expect(blocks.bytes).toBe(chunks.reduce((sum, { length }) => sum + length, 0));
      expect(Buffer.concat(blocks.all()).equals(Buffer.concat(chunks))).toBe(true);
    }),
  );
});

it("takes little more memory than the bytes that came, one by one", () => {
  const blocks = createBlocks();
  const chunk = Buffer.from("a");
  for (let count = 0; count < 200_000; count += 1) blocks.add(chunk);
  const all = blocks.all();
  expect(all.length).toBeLessThan(10);
  expect(all.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)).toBeLessThan(400_000);
});

it("takes no large block for a small message in two chunks", () => {
  const blocks = createBlocks();
  blocks.add(Buffer.alloc(5_000));
  blocks.add(Buffer.alloc(100));
  expect(blocks.all().at(-1)?.buffer.byteLength).toBe(5_000);
});
