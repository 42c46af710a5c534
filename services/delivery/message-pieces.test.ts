import { buffer } from "node:stream/consumers";
import { expect, it } from "vitest";
import { bufferOrStream, bytesOf, hasAsciiHeader } from "./message-pieces.ts";

function cut(text: string, size: number): Buffer[] {
  const bytes = Buffer.from(text);
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

it.each([1, 2, 3, 4, 5, 17, 100])("tells a header from a body in pieces of %d bytes", (size) => {
  expect(hasAsciiHeader(cut("Subject: a\r\nTo: b\r\n\r\nGrüße\r\n\r\nü", size))).toBe(true);
  expect(hasAsciiHeader(cut("Subject: a\r\nTo: ü\r\n\r\nx", size))).toBe(false);
  expect(hasAsciiHeader(cut("Subject: no empty line", size))).toBe(true);
});

it("is one buffer when small, and a stream that shares its memory when large", async () => {
  const small = [Buffer.from("a"), Buffer.from("b")];
  expect(bufferOrStream(small)).toEqual(Buffer.from("ab"));
  const large = [Buffer.from("head"), Buffer.alloc(300_000, "body"), Buffer.from("tail")];
  const stream = bufferOrStream(large);
  if (Buffer.isBuffer(stream)) throw new Error("a copy of a large message");
  const read = await buffer(stream);
  expect(read.equals(Buffer.concat(large))).toBe(true);
  expect(bytesOf(large)).toBe(read.length);
});

it("is itself when it is one piece, however large", () => {
  const piece = Buffer.alloc(300_000);
  expect(bufferOrStream([piece])).toBe(piece);
});
