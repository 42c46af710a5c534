import { describe, expect, it } from "vitest";
import { decodeQuotedPrintable, encodeLongQuotedPrintable } from "./transfer-encoding.ts";

describe("quoted-printable that a caller has written", () => {
  it.each([
    ["plain text", "Hello\r\nyou", "Hello\r\nyou"],
    ["hex digits of either case", "Gr=C3=bC=c3=9fe", "Grüße"],
    ["a soft line break", "one =\r\nline=\n.", "one line."],
    ["white space that was put behind a soft line break", "one=  \r\nword", "oneword"],
    ["white space that was put at a line's end", "one \t\r\ntwo \nthree ", "one\r\ntwo\nthree"],
    ["white space that is encoded", "one=20\r\ntwo=09", "one \r\ntwo\t"],
    ["nothing", "", ""],
  ])("is read with %s", (_case, text, expected) => {
    expect(decodeQuotedPrintable(text)?.toString("utf8")).toBe(expected);
  });

  it.each([
    ["one digit", "a=4"],
    ["no digit", "a=zz"],
    ["a soft line break without a line", "a="],
    ["digits of two lines", "a=4=\r\n1"],
    ["a character outside ASCII", "Grüße"],
  ])("is none with %s", (_case, text) => {
    expect(decodeQuotedPrintable(text)).toBeUndefined();
  });
});

describe("a long text in quoted-printable", () => {
  const lines = "Grüße aus Köln, \r\nFrom me to you\r\n".repeat(20_000);

  it.each([
    ["lines", lines],
    ["one line", "ü".repeat(100_000)],
    ["one line of white space", " ".repeat(200_000)],
    ["a line that ends where a piece does", `${"x".repeat(64 * 1024 - 1)}\r\nx`],
  ])("is the same when it is read, of %s", async (_case, text) => {
    const encoded = (await encodeLongQuotedPrintable(Buffer.from(text))).toString("latin1");
    const isWrong = (line: string): boolean => line.length > 76 || /[ \t]$|^From |[\r\n]/.test(line);
    expect(encoded.split("\r\n").filter(isWrong)).toEqual([]);
    expect(decodeQuotedPrintable(encoded)?.toString("utf8")).toBe(text);
  });

  it("lets other work in between", async () => {
    let others = 0;
    const timer = setInterval(() => (others += 1), 0);
    await encodeLongQuotedPrintable(Buffer.from(lines));
    clearInterval(timer);
    expect(others).toBeGreaterThan(0);
  });
});
