import { validateHeaderName, validateHeaderValue } from "node:http";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyText } from "#test/support/any-text.ts";
import {
  endpointUrl,
  isEndpointUrl,
  mistakeOfEndpointUrl,
  mistakeOfNotificationHeader,
  mistakeOfNotificationHeaders,
} from "./endpoint-rules.ts";

function isHttpHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

describe("a header of a push notification", () => {
  it.each([
    ["X-Tenant", "blue"],
    ["Content-Language", "de"],
    ["User-Agent", "Acme"],
    ["__proto__", "data"],
    ["X-A", "Grüße\tan alle"],
    ["Authorization", `Bearer ${"x".repeat(8_000)}`],
    ["X-Empty", ""],
  ])("may be %s (%#)", (name, value) => expect(mistakeOfNotificationHeader(name, value)).toBeUndefined());

  it.each([
    ["Größe", "x", "not a header name"],
    ["a b", "x", "not a header name"],
    ["Host", "x", "a reserved header"],
    ["BAGGAGE", "x", "a reserved header"],
    ["webhook-own", "x", "a reserved header"],
    ["Proxy-Authorization", "x", "a reserved header"],
    ["X-A", "a\r\nb", "no control characters"],
    ["X-A", "日本", "Latin-1"],
    ["X-A", "\ud800", "Latin-1"],
    ["X-A", "\u0000", "no control characters"],
    ["X-A", "x".repeat(16_385), "at most 16384 characters"],
  ])("is not %s (%#)", (name, value, mistake) => expect(mistakeOfNotificationHeader(name, value)).toContain(mistake));

  it("that is taken is one that HTTP carries", () => {
    fc.assert(
      fc.property(fc.string(), anyText(), (name, value) => {
        const isTaken = mistakeOfNotificationHeader(name, value) === undefined;
        expect(isTaken && !isHttpHeader(name, value)).toBe(false);
      }),
    );
  });
});

it("the headers of a push notification may have 65,536 characters together", () => {
  const four = ["A", "B", "C", "D"].map((name) => ({ name, value: "x".repeat(16_383) }));
  expect(mistakeOfNotificationHeaders(four)).toBeUndefined();
  expect(mistakeOfNotificationHeaders([...four, { name: "E", value: "" }])).toContain("at most 65536 characters");
});

describe("the URL of an endpoint", () => {
  it.each(["https://hooks.example.com/x", "HTTP://hooks.example.com", "http://[2001:db8::1]:8080/?a=b"])(
    "may be %s",
    (url) => {
      expect(mistakeOfEndpointUrl(url)).toBeUndefined();
      expect(isEndpointUrl(url)).toBe(true);
    },
  );

  it.each([
    "https:/hooks.example.com/x",
    "http:hooks.example.com",
    " https://hooks.example.com",
    "https:///hooks.example.com",
    "https://hooks.example.com\\x",
    "https://hooks.example.com/a b",
    "https://hooks.example.com/a\r\nb",
    "https://hooks.example.com/a\u0001",
    "https://hooks.example.com/a ",
    "https:\\\\hooks.example.com",
    "ftp://hooks.example.com",
    "hooks.example.com",
    "https://",
    "",
  ])("is not %j, which is not posted to", (url) => {
    expect(mistakeOfEndpointUrl(url)).toContain("an http or https URL");
    expect(isEndpointUrl(url)).toBe(false);
  });

  it("has no credentials, and 1,000 characters at most, whatever they take as UTF-16", () => {
    expect(mistakeOfEndpointUrl(`https://hooks.example.com/${"😀".repeat(974)}`)).toBeUndefined();
    expect(mistakeOfEndpointUrl("https://u:p@hooks.example.com")).toContain("credentials");
    expect(mistakeOfEndpointUrl(`https://hooks.example.com/${"😀".repeat(975)}`)).toBe("at most 1000 characters");
  });

  it("has credentials where only a test is posted to it", () => {
    const url = "https://u:p@hooks.example.com";
    expect(endpointUrl({ mayHaveCredentials: true }).safeParse(url).success).toBe(true);
    expect(endpointUrl({ mayHaveCredentials: false }).safeParse(url).success).toBe(false);
  });

  it.each([
    ["", "must not be empty"],
    ["https://hooks.example.com/\ud800", "not well-formed Unicode"],
    ["https:/u:p@hooks.example.com", "an http or https URL such as https://example.com/hook"],
    ["x".repeat(1_001), "at most 1000 characters"],
  ])("has its mistake named once at every door (%#)", (url, message) => {
    for (const mayHaveCredentials of [true, false]) {
      const read = endpointUrl({ mayHaveCredentials }).safeParse(url);
      expect(read.error?.issues.map((issue) => issue.message)).toEqual([message]);
    }
  });
});
