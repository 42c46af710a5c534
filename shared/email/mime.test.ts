import fc from "fast-check";
import { simpleParser } from "mailparser";
import { describe, expect, it } from "vitest";
import { addressField, headerBlock, plainField, textField } from "./headers.ts";
import { composeContent } from "./mime.ts";

const part = (text: string) => ({ text, charset: "utf-8", transferEncoding: undefined });
const plain = (text: string) => ({ ...part(text), contentType: "text/plain" as const });
/** As a mail client reads line ends: all alike, none at the end. */
const lines = (text: string): string => text.replace(/\r\n|\r|\n/g, "\n").replace(/\n$/, "");

async function parse(content: Buffer) {
  return simpleParser(Buffer.concat([Buffer.from("MIME-Version: 1.0\r\n"), content]));
}

function expectSevenBit(content: Buffer): void {
  const text = content.toString("latin1");
  expect(text).toMatch(/^[\t\r\n -~]*$/);
  expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  expect(text.split("\r\n").every((line) => line.length <= 998)).toBe(true);
  expect(text).not.toMatch(/^From |[ \t]\r\n/m);
}

describe("content", () => {
  it.each([
    ["short ASCII stays as it is", "Hello\n.\n From me", "7bit"],
    ["a line that begins with From is quoted", "Hello\nFrom me", "quoted-printable"],
    ["white space at the end of a line is quoted", "Hello \nyou", "quoted-printable"],
    ["a line of 998 characters stays", "x".repeat(998), "7bit"],
    ["a longer line is quoted", "x".repeat(999), "quoted-printable"],
    ["mostly ASCII is quoted", "Grüße aus Köln", "quoted-printable"],
    ["other scripts are base64", "こんにちは世界", "base64"],
    ["control characters are encoded", "control \u0001 character", "quoted-printable"],
  ])("%s", async (_, text, encoding) => {
    const content = await composeContent({ body: plain(text), seed: "s" });
    expect(content.toString("latin1")).toContain(`Content-Transfer-Encoding: ${encoding}\r\n`);
    expectSevenBit(content);
  });

  it("of any text is 7-bit, in lines that fit, and reads as it was written", async () => {
    const texts = fc.string({
      unit: fc.oneof(
        fc.constantFrom("\n", "ä", " ", "=", ".", "😀", "x", "From "),
        fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
      ),
      maxLength: 400,
    });
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const content = await composeContent({ body: plain(text), seed: "s" });
        expectSevenBit(content);
        expect(lines((await parse(content)).text ?? "").trimEnd()).toBe(lines(text).trimEnd());
      }),
      { numRuns: 200 },
    );
  });

  it("has attachments of any bytes and names", async () => {
    const names = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
      .filter((name) => name.trim() === name && !/[\p{Cc}\ufffd]/u.test(name));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), names, async (bytes, name) => {
        const attachments = [{ name, contentType: "application/x-test", content: Buffer.from(bytes) }];
        const content = await composeContent({ body: plain("text"), attachments, seed: "s" });
        expectSevenBit(content);
        const [attachment] = (await parse(content)).attachments;
        expect(attachment?.content.equals(bytes)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("takes a charset that holds all of the text, and UTF-8 otherwise", async () => {
    const inCharset = async (text: string, charset: string) =>
      (await composeContent({ body: { ...plain(text), charset }, seed: "s" })).toString("latin1");
    expect(await inCharset("Grüße", "ISO-8859-1")).toContain("charset=iso-8859-1");
    expect(await inCharset("こんにちは", "ISO-8859-1")).toContain("charset=utf-8");
    expect(await inCharset("Grüße", "utf-16le")).toContain("charset=utf-8");
  });

  it("without a body is its attachments, without anything an empty text", async () => {
    const attachments = [{ name: "a.txt", content: Buffer.from("x") }];
    expect((await parse(await composeContent({ attachments, seed: "s" }))).attachments).toHaveLength(1);
    expect((await parse(await composeContent({ seed: "s" }))).text?.trim()).toBe("");
  });
});

describe("header blocks", () => {
  it("of any texts are folded ASCII lines and no more fields than were given", async () => {
    const texts = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 300 })
      .filter((text) => !/\p{Cc}/u.test(text) && text.trim() !== "");
    await fc.assert(
      fc.asyncProperty(texts, texts, async (subject, name) => {
        const from = addressField("From", [{ name, address: "a@example.com" }]);
        const block = headerBlock([textField("Subject", subject), from, plainField("X-End", "end")]);
        expect(block).toMatch(/^[\r\n\t -~]*$/);
        expect(block.split(/\r\n(?![ \t])/)).toHaveLength(4);
        const parsed = await simpleParser(`${block}\r\n`);
        expect(parsed.from?.value).toHaveLength(1);
        expect(parsed.from?.value[0]?.address).toBe("a@example.com");
      }),
      { numRuns: 300 },
    );
  });

  it.each(["x".repeat(500), "x".repeat(76), " a  b ", "\ta", "word ".repeat(90)])(
    "tell a subject as it was given: %j",
    async (subject) => {
      const block = headerBlock([textField("Subject", subject)]);
      expect((await simpleParser(`${block}\r\n`)).subject).toBe(subject);
      expect(block.split("\r\n").every((line) => line.length <= 99)).toBe(true);
    },
  );

  it.each([" ", ` ${"x".repeat(80)}`])("leave a subject of encoded words as it is where %j follows", (end) => {
    expect(textField("Subject", `=?utf-8?Q?Gr=C3=BC=C3=9Fe?=${end}`).value).toMatch(/^=\?utf-8\?Q\?Gr=C3=BC=C3=9Fe\?=/);
  });

  it.each([
    ["a first word stands behind the name", "x".repeat(900), "x".repeat(900)],
    ["white space stays", `a b  c${" ".repeat(900)}d\te`, `a b  c${" ".repeat(900)}d\te`],
    [
      "more white space than fits into a line is cut",
      `a${" ".repeat(9_000)}${"b".repeat(900)}`,
      `a${" ".repeat(98)}${"b".repeat(900)}`,
    ],
  ])("are folded before words alone: %s", (_, given, unfolded) => {
    const block = headerBlock([plainField("X-A", given)]);
    expect(block).not.toMatch(/^[\t ]*\r\n|:\r\n/m);
    expect(block.split("\r\n").every((line) => line.length <= 998)).toBe(true);
    expect(block.replace(/\r\n(?=[\t ])/g, "")).toBe(`X-A: ${unfolded}\r\n`);
  });

  it("leave an address that needs SMTPUTF8 in UTF-8, and a domain as A-labels", () => {
    const field = addressField("To", [{ name: undefined, address: "a@müller.example" }]);
    expect(field?.value).toBe("a@xn--mller-kva.example");
    expect(addressField("To", [{ name: undefined, address: "jörg@example.com" }])?.value).toBe("jörg@example.com");
  });

  it("show an address with angle brackets in its quoted local part as it is", () => {
    const address = '"a<b>"@example.com';
    expect(addressField("To", [{ name: undefined, address }])?.value).toBe(`<${address}>`);
    const named = [
      { name: "Näme", address },
      { name: undefined, address: "c@example.com" },
    ];
    expect(addressField("To", named)?.value).toBe(`=?UTF-8?Q?N=C3=A4me?= <${address}>, c@example.com`);
  });
});

it("lets other work in between where there are thousands of attachments", async () => {
  let turns = 0;
  const count = setInterval(() => (turns += 1), 0);
  const attachments = Array.from({ length: 5_000 }, () => ({ name: "a", content: Buffer.from("x") }));
  await composeContent({ attachments, seed: "seed" });
  clearInterval(count);
  expect(turns).toBeGreaterThanOrEqual(5);
});
