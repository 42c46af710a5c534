import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createNewlineCheck } from "./bare-newline.ts";

function isRefused(chunks: readonly string[]): boolean {
  const check = createNewlineCheck();
  for (const chunk of chunks) check.push(Buffer.from(chunk, "latin1"));
  return check.hasBare();
}

describe("what smuggles a second message has a CR or LF on its own", () => {
  it.each([
    ["LF.LF", "a\n.\nMAIL FROM:<x@y>\r\n"],
    ["LF.CRLF", "a\n.\r\nMAIL FROM:<x@y>\r\n"],
    ["CRLF.LF", "a\r\n.\nMAIL FROM:<x@y>\r\n"],
    ["CR.CR", "a\r.\rMAIL FROM:<x@y>\r\n"],
    ["CR.CRLF", "a\r.\r\nMAIL FROM:<x@y>\r\n"],
    ["CRLF.CR", "a\r\n.\rMAIL FROM:<x@y>\r\n"],
    ["CRLF.CRCRLF", "a\r\n.\r\r\nMAIL\r\n"],
    ["CRCRLF", "a\r\r\n"],
    ["LFCR", "a\n\rb\r\n"],
    ["a LF first", "\na\r\n"],
    ["a CR last", "a\r\n\r"],
    ["CR NUL LF", "a\r\0\nb\r\n"],
  ])("%s", (_, text) => {
    expect(isRefused([text])).toBe(true);
    expect(isRefused(text.split(""))).toBe(true);
  });

  it.each(["", "a\r\n", "\r\n\r\n", "a\r\nb\r\n\r\n", "no end"])("takes %j", (text) => {
    expect(isRefused([text])).toBe(false);
    expect(isRefused(text.split(""))).toBe(false);
  });
});

it("says the same however the bytes are cut", () => {
  const text = fc.string({ unit: fc.constantFrom("\r", "\n", "\r\n", "a", "."), maxLength: 20 });
  fc.assert(
    fc.property(text, fc.array(fc.nat(20)), (whole, cuts) => {
      const points = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length];
      const chunks = points.slice(1).map((end, index) => whole.slice(points[index], end));
      expect(isRefused(chunks)).toBe(/(^|[^\r])\n|\r(?!\n)/.test(whole));
    }),
  );
});
