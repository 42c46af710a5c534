import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyText } from "#test/support/any-text.ts";
import { readControlHeaders } from "./control-headers.ts";
import { readHeaderSection } from "./header-fields.ts";

const PREFIXES = ["X-Waypost", "X-RETARUS-M4A"];

function read(lines: readonly string[], ...prefixes: string[]): ReturnType<typeof readControlHeaders> {
  const text = Buffer.from(`${lines.join("\r\n")}\r\n\r\nbody`, "utf8").toString("latin1");
  return readControlHeaders(readHeaderSection(text).fields, prefixes.length === 0 ? ["X-Waypost"] : prefixes);
}

describe.each(PREFIXES)("control headers under %s", (prefix) => {
  it("reads every header of the contract", () => {
    const result = read(
      [
        "From: a@acme.example",
        `${prefix}-NOTIFICATION-URL: https://endpoint.example/hook`,
        `${prefix}-NOTIFICATION-HEADER: X-One=1`,
        `${prefix}-NOTIFICATION-HEADER: X-Two=a=b`,
        `${prefix}-NOTIFICATION-AUTH-METHOD: BASIC`,
        `${prefix}-NOTIFICATION-AUTH-USER: user`,
        `${prefix}-NOTIFICATION-AUTH-PASSWORD: pass:word`,
        `${prefix}-REFERENCE: order 7`,
        `${prefix}-CAMPAIGN-ID: spring`,
        `${prefix}-COST-CENTER: 4711`,
        `${prefix}-MESSAGE-SIGNING-ACTIVE: false`,
      ],
      prefix,
    );
    expect(result).toEqual({
      ok: true,
      details: {
        referenceJob: "order 7",
        campaignId: "spring",
        costCenter: "4711",
        messageSigning: false,
        endpoint: {
          url: "https://endpoint.example/hook",
          headers: [
            { name: "X-One", value: "1" },
            { name: "X-Two", value: "a=b" },
          ],
          authentication: { method: "BASIC", user: "user", password: "pass:word" },
        },
      },
    });
  });
});

describe("both prefixes at once", () => {
  it("are read, and named as they were spelled", () => {
    expect(read(["X-Waypost-REFERENCE: r1", "X-RETARUS-M4A-COST-CENTER: 7"], ...PREFIXES)).toEqual({
      ok: true,
      details: { referenceJob: "r1", costCenter: "7" },
    });
    const wrong = ["X-Waypost-REFERENCE: r1", "X-RETARUS-M4A-MESSAGE-SIGNING-ACTIVE: perhaps"];
    expect(read(wrong, ...PREFIXES)).toMatchObject({ header: "X-RETARUS-M4A-MESSAGE-SIGNING-ACTIVE" });
    expect(read(["X-RETARUS-M4A-NOTIFICATION-HEADER: a=b"], ...PREFIXES)).toMatchObject({
      header: "X-RETARUS-M4A-NOTIFICATION-URL",
    });
  });

  it("are one where one is set", () => {
    expect(read(["X-RETARUS-M4A-REFERENCE: r1"], "X-Waypost")).toEqual({ ok: true, details: {} });
  });

  it("say each thing once", () => {
    const twice = ["X-Waypost-REFERENCE: r1", "X-RETARUS-M4A-REFERENCE: r1"];
    expect(read(twice, ...PREFIXES)).toMatchObject({ ok: false, reason: "it is given more than once" });
  });
});

describe("spellings", () => {
  it.each([
    ["lower case", "x-waypost-reference: r1", "r1"],
    ["mixed case", "X-wAYPOST-ReFeReNcE: r1", "r1"],
    ["no space", "X-Waypost-REFERENCE:r1", "r1"],
    ["space before the colon", "X-Waypost-REFERENCE : r1", "r1"],
    ["folded after the colon", "X-Waypost-REFERENCE:\r\n r1", "r1"],
    ["folded inside", "X-Waypost-REFERENCE: r1\r\n and r2", "r1 and r2"],
    ["trailing white space", "X-Waypost-REFERENCE: r1 \t ", "r1"],
    ["UTF-8", "X-Waypost-REFERENCE: Größe", "Größe"],
    ["an encoded word", "X-Waypost-REFERENCE: =?UTF-8?Q?Gr=C3=B6=C3=9Fe_1?=", "Größe 1"],
    ["two encoded words", "X-Waypost-REFERENCE: =?UTF-8?B?R3LDtg==?=\r\n =?utf-8?B?w59l?=", "Größe"],
  ])("%s", (_, line, expected) => {
    expect(read([line])).toEqual({ ok: true, details: { referenceJob: expected } });
  });

  it("takes notification headers of 1,000 characters in all, whatever they take as UTF-16, and of Latin-1", () => {
    const value = "ü".repeat(997);
    expect(read([URL_LINE, `X-Waypost-NOTIFICATION-HEADER: a=${value} `])).toMatchObject({
      details: { endpoint: { headers: [{ name: "a", value }] } },
    });
    expect(read([URL_LINE, `X-Waypost-NOTIFICATION-HEADER: a=${"😀".repeat(900)}`])).toMatchObject({
      reason: expect.stringContaining("Latin-1") as string,
    });
    const path = "😀".repeat(900);
    expect(read([`X-Waypost-NOTIFICATION-URL: https://e.example/${path}`])).toMatchObject({ ok: true });
  });

  it("joins a URL that was folded in mid-word", () => {
    expect(read(["X-Waypost-NOTIFICATION-URL: https://endpoint.example/a/lo\r\n ng/path"])).toMatchObject({
      details: { endpoint: { url: "https://endpoint.example/a/long/path" } },
    });
  });

  it("leaves the other prefix and unknown names alone", () => {
    expect(read(["X-RETARUS-M4A-REFERENCE: r", "X-Waypost-OTHER: o", "X-WaypostREFERENCE: r"])).toEqual({
      ok: true,
      details: {},
    });
  });

  it("keeps keys that are names of prototypes as data", () => {
    const result = read(["X-Waypost-NOTIFICATION-URL: http://e.example", "X-Waypost-NOTIFICATION-HEADER: __proto__=1"]);
    expect(JSON.stringify(result)).toContain('{"name":"__proto__","value":"1"}');
  });
});

const URL_LINE = "X-Waypost-NOTIFICATION-URL: https://e.example/";

describe("refusals name the header", () => {
  it.each([
    ["NOTIFICATION-URL", ["X-Waypost-NOTIFICATION-URL: ftp://e.example/"]],
    ["NOTIFICATION-URL", [`X-Waypost-NOTIFICATION-URL: https://e.example/${"a".repeat(1_000)}`]],
    ["NOTIFICATION-URL", ["X-Waypost-NOTIFICATION-URL: not a url"]],
    ["NOTIFICATION-URL", ["X-Waypost-NOTIFICATION-URL: https:/e.example/"]],
    ["NOTIFICATION-URL", ["X-Waypost-NOTIFICATION-URL:"]],
    ["NOTIFICATION-URL", [URL_LINE, URL_LINE]],
    ["NOTIFICATION-URL", ["X-Waypost-NOTIFICATION-HEADER: a=b"]],
    ["NOTIFICATION-HEADER", [URL_LINE, "X-Waypost-NOTIFICATION-HEADER: no equals sign"]],
    ["NOTIFICATION-HEADER", [URL_LINE, "X-Waypost-NOTIFICATION-HEADER: =value"]],
    ["NOTIFICATION-HEADER", [URL_LINE, "X-Waypost-NOTIFICATION-HEADER: key="]],
    ["NOTIFICATION-HEADER", [URL_LINE, "X-Waypost-NOTIFICATION-HEADER: a b=c"]],
    ["NOTIFICATION-HEADER", [URL_LINE, "X-Waypost-NOTIFICATION-HEADER: Host=evil.example"]],
    ["NOTIFICATION-HEADER", [URL_LINE, "X-Waypost-NOTIFICATION-HEADER: baggage=a"]],
    ["NOTIFICATION-HEADER", [URL_LINE, "X-Waypost-NOTIFICATION-HEADER: Webhook-Own=a"]],
    ["NOTIFICATION-HEADER", [URL_LINE, "X-Waypost-NOTIFICATION-HEADER: X-A=日本"]],
    ["NOTIFICATION-HEADER", [URL_LINE, "X-Waypost-NOTIFICATION-HEADER: a=1", "X-Waypost-NOTIFICATION-HEADER: A=2"]],
    ["NOTIFICATION-HEADER", [URL_LINE, `X-Waypost-NOTIFICATION-HEADER: a=${"b".repeat(999)}`]],
    ["NOTIFICATION-AUTH-METHOD", [URL_LINE, "X-Waypost-NOTIFICATION-AUTH-METHOD: DIGEST"]],
    ["NOTIFICATION-AUTH-METHOD", [URL_LINE, "X-Waypost-NOTIFICATION-AUTH-USER: u"]],
    ["NOTIFICATION-AUTH-USER", [URL_LINE, "X-Waypost-NOTIFICATION-AUTH-METHOD: BASIC"]],
    [
      "NOTIFICATION-AUTH-PASSWORD",
      [URL_LINE, "X-Waypost-NOTIFICATION-AUTH-METHOD: BASIC", "X-Waypost-NOTIFICATION-AUTH-USER: u"],
    ],
    ["REFERENCE", [`X-Waypost-REFERENCE: ${"r".repeat(51)}`]],
    ["REFERENCE", ["X-Waypost-REFERENCE: a", "X-Waypost-REFERENCE: b"]],
    ["CAMPAIGN-ID", [`X-Waypost-CAMPAIGN-ID: ${"c".repeat(51)}`]],
    ["COST-CENTER", ["X-Waypost-COST-CENTER: "]],
    ["MESSAGE-SIGNING-ACTIVE", ["X-Waypost-MESSAGE-SIGNING-ACTIVE: maybe"]],
  ])("%s: %j", (header, lines) => {
    expect(read(lines)).toMatchObject({ ok: false, header: `X-Waypost-${header}` });
  });

  it("refuses bytes that are no UTF-8", () => {
    const text = "X-Waypost-REFERENCE: \xff\xfe\r\n\r\n";
    expect(readControlHeaders(readHeaderSection(text).fields, ["X-Waypost"])).toMatchObject({ ok: false });
  });
});

it("never throws, whatever the header section", () => {
  fc.assert(
    fc.property(fc.array(anyText()), (values) => {
      const text = values.map((value) => `X-Waypost-NOTIFICATION-HEADER:${value}\r\n`).join("");
      const { fields } = readHeaderSection(Buffer.from(text).toString("latin1"));
      expect(readControlHeaders(fields, ["X-Waypost"])).toHaveProperty("ok");
    }),
  );
});

it("refuses notification headers by the ten thousand without gathering them", () => {
  const lines = Array.from({ length: 31_000 }, () => "X-Waypost-NOTIFICATION-HEADER: a=b");
  const started = performance.now();
  expect(read(lines)).toMatchObject({ ok: false, reason: expect.stringContaining("in all") as string });
  expect(performance.now() - started).toBeLessThan(3_000);
});
