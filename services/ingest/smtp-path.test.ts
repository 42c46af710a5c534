import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyText } from "#test/support/any-text.ts";
import { addressOfFrom } from "./header-from.ts";
import { distinctPaths, parsePathCommand } from "./smtp-path.ts";

describe("paths as they are given", () => {
  it.each([
    ["MAIL FROM:<a@acme.example>", "a@acme.example", ""],
    ["mail from:<a@acme.example> SIZE=100 BODY=8BITMIME", "a@acme.example", "SIZE=100 BODY=8BITMIME"],
    ["MAIL FROM: <a@acme.example>", "a@acme.example", ""],
    ["MAIL FROM:<>", "", ""],
    ['MAIL FROM:<"a b"@acme.example>', '"a b"@acme.example', ""],
    ['MAIL FROM:<"a>b@c"@acme.example>', '"a>b@c"@acme.example', ""],
    ["MAIL FROM:<a@xn--mller-kva.example>", "a@xn--mller-kva.example", ""],
    ["MAIL FROM:<jürgen@müller.example> SMTPUTF8", "jürgen@müller.example", "SMTPUTF8"],
    ["MAIL FROM:<@relay.example,@b.example:a@acme.example>", "a@acme.example", ""],
    ["MAIL FROM:<a@[192.0.2.1]>", "a@[192.0.2.1]", ""],
  ])("%s", (command, path, parameters) => {
    expect(parsePathCommand("MAIL FROM", command)).toEqual({ path, parameters });
  });

  it.each([
    "MAIL FROM:a@acme.example",
    "MAIL FROM:<a@acme.example",
    "MAIL FROM:<a@acme.example>SIZE=1",
    "MAIL FROM:<a@@acme.example>",
    "MAIL FROM:<.a@acme.example>",
    "MAIL FROM:<a.@acme.example>",
    "MAIL FROM:<a..b@acme.example>",
    "MAIL FROM:<a b@acme.example>",
    "MAIL FROM:<a@acme..example>",
    "MAIL FROM:<a@-acme.example>",
    "MAIL FROM:<a@acme.example.>",
    "MAIL FROM:<a>",
    "MAIL FROM:<@acme.example>",
    "MAIL FROM:<a@acme.example\u0000>",
    "MAIL FROM:<a\u200b@acme.example>",
    `MAIL FROM:<${"a".repeat(65)}@acme.example>`,
    `MAIL FROM:<a@${"a".repeat(64)}.example>`,
    'MAIL FROM:<"a@acme.example>',
    "RCPT TO:<a@acme.example>",
    "MAIL",
  ])("refuses %s", (command) => {
    expect(parsePathCommand("MAIL FROM", command)).toBeUndefined();
  });

  it("lets no path hold a space outside quotes, a control character or an angle bracket", () => {
    fc.assert(
      fc.property(anyText(), (text) => {
        const parsed = parsePathCommand("RCPT TO", `RCPT TO:<${text}>`);
        // oxlint-disable-next-line no-control-regex
        expect(parsed?.path.replace(/"(?:[^"\\]|\\.)*"/, "q") ?? "").not.toMatch(/[\u0000-\u0020<>]/);
      }),
    );
  });
});

describe("the header From", () => {
  it.each([
    ["a@acme.example", "a@acme.example"],
    ["Acme <a@acme.example>", "a@acme.example"],
    ['"Acme, <b@other.example>" <a@acme.example>', "a@acme.example"],
    ["a@acme.example (Acme <b@other.example>)", "a@acme.example"],
    ["root@acme.example (Cron Daemon)", "root@acme.example"],
    ["Joe <joe@acme.example> (work)", "joe@acme.example"],
    ["<sales(x)@acme.example>", "sales@acme.example"],
    ['Joe "the man <joe@acme.example>', "joe@acme.example"],
    ['"Sales" <"sales"@acme.example>', '"sales"@acme.example'],
    ["<>", undefined],
    ["", undefined],
    ["a@acme.example, b@acme.example", undefined],
    ["A <a@acme.example>, B <b@other.example>", undefined],
  ])("%s", (value, expected) => {
    expect(addressOfFrom(value)).toBe(expected);
  });

  it.each(['"\\', "(\\"])("of many %s is read without a stall", { timeout: 5_000 }, (part) => {
    expect(addressOfFrom(`${part.repeat(100_000)} <a@acme.example>`)).toBeDefined();
  });
});

describe("the recipients of an envelope", () => {
  it("are each mailbox once, as it was first given", () => {
    expect(distinctPaths(["a@acme.example", "a@ACME.example", "a@müller.example", "a@xn--mller-kva.example"])).toEqual([
      "a@acme.example",
      "a@müller.example",
    ]);
  });

  it("are two where local parts differ in case alone", () => {
    expect(distinctPaths(["Ada@acme.example", "ada@acme.example"])).toEqual(["Ada@acme.example", "ada@acme.example"]);
  });
});
