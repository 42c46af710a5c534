import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyText } from "#test/support/any-text.ts";
import { isValidAddress, parseAddress, parseMailbox, wireAddress } from "./address.ts";
import { comparableAddress } from "./comparable-address.ts";

describe("addresses told right from wrong", () => {
  it.each([
    "a@example.com",
    "first.last+tag@sub.example.co.uk",
    "o'brien=x!#$%&*/?^_`{|}~-@example.com",
    '"quoted local"@example.com',
    '"with \\" quote"@example.com',
    "user@xn--mller-kva.example",
    "user@müller.example",
    "jörg@müller.example",
    "用户@例え.jp",
    "δοκιμή@παράδειγμα.δοκιμή",
    `${"x".repeat(64)}@example.com`,
    "1@2.com",
    "a@b-c.de",
  ])("takes %s", (address) => expect(isValidAddress(address)).toBe(true));

  it.each([
    "",
    "@",
    "plain",
    "@example.com",
    "a@",
    "a@b",
    "a@localhost",
    "a b@example.com",
    ".a@example.com",
    "a.@example.com",
    "a..b@example.com",
    "a@@example.com",
    "a@b@example.com",
    '"open@example.com',
    "a@-example.com",
    "a@example-.com",
    "a@exa_mple.com",
    "a@example..com",
    "a@.example.com",
    "a@example.com.",
    "a@example.123",
    "a@127.0.0.1",
    "a@0x7f.1",
    "a@[127.0.0.1]",
    "a@[IPv6:::1]",
    "a@ex%61mple.com",
    "a@xn--a.com",
    "a@example.com\r\nx",
    "a\u0000@example.com",
    "a\u00a0b@example.com",
    "a\u202eb@example.com",
    "a\ud800@example.com",
    "a@exam\u00adple\u200b.com",
    `${"x".repeat(65)}@example.com`,
    `${"ä".repeat(33)}@example.com`,
    `a@${"x".repeat(64)}.com`,
    `a@${"x.".repeat(130)}com`,
    "a,b@example.com",
    "a@example.com,b@example.com",
    "a@exa mple.com",
  ])("refuses %j", (address) => expect(isValidAddress(address)).toBe(false));

  it("knows which local parts need SMTPUTF8", () => {
    expect(parseAddress("jörg@example.com")).toMatchObject({ needsSmtpUtf8: true });
    expect(parseAddress("a@müller.example")).toEqual({
      local: "a",
      domain: "xn--mller-kva.example",
      needsSmtpUtf8: false,
    });
  });
});

describe("mailboxes", () => {
  it.each([
    ["a@example.com", undefined, "a@example.com"],
    ["<a@example.com>", undefined, "a@example.com"],
    ["ToName <to@example.com>", "ToName", "to@example.com"],
    ['"Doe, Jane" <jane@example.com>', "Doe, Jane", "jane@example.com"],
    ['"Say \\"hi\\"" <a@example.com>', 'Say "hi"', "a@example.com"],
    ["A < B <a@example.com>", "A < B", "a@example.com"],
    ["Jörg Müller <jörg@müller.example>", "Jörg Müller", "jörg@müller.example"],
    ["Doe, Jane <jane@example.com>", "Doe, Jane", "jane@example.com"],
    ["Sales @ Acme Inc. <a@example.com>", "Sales @ Acme Inc.", "a@example.com"],
    ['"b@example.com" <a@example.com>', "b@example.com", "a@example.com"],
    ["a@example.com <a@example.com>", "a@example.com", "a@example.com"],
    ["Jane (jane@example.com) <a@example.com>", "Jane (jane@example.com)", "a@example.com"],
    ['"B <b@example.com>" <a@example.com>', "B <b@example.com>", "a@example.com"],
    ['B "\\"<b@example.com>" <a@example.com>', 'B "\\"<b@example.com>"', "a@example.com"],
  ])("reads %s", (text, name, address) => expect(parseMailbox(text)).toEqual({ name, address }));

  it.each([
    "A <a@example.com>, B <b@example.com>",
    '"A" <a@example.com>, "B" <b@example.com>',
    '"A <a@example.com>, B <b@example.com>',
    "<a@example.com> <b@example.com>",
    "a@example.com, <b@example.com>",
    "a@example.com, B <b@example.com>",
    '"a"@example.com, B <b@example.com>',
    "A jörg@müller.example; B <b@example.com>",
    "A <a@example.com>, b@example.com",
    "a@example.com, b@example.com",
  ])("takes %s, which is more than one, for no address", (text) => {
    expect(parseMailbox(text)).toEqual({ name: undefined, address: text });
    expect(isValidAddress(text)).toBe(false);
  });

  it("reads a long name of quotes that nobody closes without a stall", { timeout: 5_000 }, () => {
    expect(parseMailbox(`${'"\\'.repeat(40_000)} <a@example.com>`).address).toBe("a@example.com");
  });
});

describe("the comparable spelling of an address", () => {
  it.each([
    ["Sales@Acme.example", "sales@acme.example"],
    ['"sales"@acme.example', "sales@acme.example"],
    ['"Sa\\les"@ACME.example', "sales@acme.example"],
    ['"first.last"@acme.example', "first.last@acme.example"],
    ['"first last"@acme.example', '"first last"@acme.example'],
    ['"first\\ last"@acme.example', '"first last"@acme.example'],
    ['"a\\"b\\\\c"@acme.example', '"a\\"b\\\\c"@acme.example'],
    ['".a"@acme.example', '".a"@acme.example'],
    ['""@acme.example', '""@acme.example'],
    ['"J\u00f6rg"@acme.example', "j\u00f6rg@acme.example"],
    ["Jo\u0308rg@MÜLLER.example", "j\u00f6rg@xn--mller-kva.example"],
    ["No Address", "no address"],
    ["a@example.com。", "a@example.com"],
    ["a@example.com..", "a@example.com.."],
  ])("of %s is %s", (address, comparable) => expect(comparableAddress(address)).toBe(comparable));

  it("is its own comparable spelling, whatever the text", () => {
    const texts = fc.string({ unit: fc.constantFrom("a", "A", "@", ".", '"', "\\", " ", "<", "ä", "o\u0308") });
    fc.assert(
      fc.property(texts, (text) => {
        const comparable = comparableAddress(text);
        expect(comparableAddress(comparable)).toBe(comparable);
      }),
    );
  });
});

it("carries internationalised domains as A-labels and others as they are", () => {
  expect(wireAddress("A@Müller.Example")).toBe("A@xn--mller-kva.example");
  expect(wireAddress("Jörg@MÜLLER.example")).toBe("Jörg@xn--mller-kva.example");
  expect(wireAddress("A.B@Example.COM")).toBe("A.B@Example.COM");
});

it("reads any text without a throw, and what it takes has no control characters", () => {
  const texts = fc.oneof(
    anyText(),
    fc.string({ unit: fc.constantFrom("a", "@", ".", "<", ">", '"', "ä", "-", " ", "\\", "\n") }),
  );
  const isSound = (text: string): boolean => {
    const { address } = parseMailbox(text);
    const parsed = parseAddress(address);
    return parsed === undefined || (!/\p{Cc}/u.test(comparableAddress(address)) && /^[a-z0-9.-]+$/.test(parsed.domain));
  };
  expect(fc.check(fc.property(texts, isSound)).failed).toBe(false);
});
