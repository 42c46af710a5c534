import fc from "fast-check";
import { expect, it } from "vitest";
import { anyText } from "#test/support/any-text.ts";
import { readHostName } from "./host-name.ts";

const LABEL_63 = "a".repeat(63);
const NAME_253 = `${LABEL_63}.${LABEL_63}.${LABEL_63}.${"a".repeat(57)}.com`;

it.each([
  ["relay.example.com", "relay.example.com"],
  ["Relay.EXAMPLE.Com", "relay.example.com"],
  ["a-b.c1.example", "a-b.c1.example"],
  ["1.example.com", "1.example.com"],
  ["0x7f.example.com", "0x7f.example.com"],
  ["relais.münchen.example", "relais.xn--mnchen-3ya.example"],
  ["xn--mnchen-3ya.example", "xn--mnchen-3ya.example"],
  [`${LABEL_63}.example`, `${LABEL_63}.example`],
  [NAME_253, NAME_253],
])("takes %s", (text, name) => {
  expect(readHostName(text)).toEqual({ ok: true, name });
});

it.each([
  ["192.0.2.1", "IP address"],
  ["127.1", "IP address"],
  ["2130706433", "IP address"],
  ["0x7f000001", "IP address"],
  ["0x7f.0x0.0x0.0x1", "IP address"],
  ["0177.0.0.1", "IP address"],
  ["1.2.3.0x4", "IP address"],
  ["192.0.2.1.", "IP address"],
  ["::1", "IP address"],
  ["2001:db8::1", "IP address"],
  ["fe80::1%eth0", "IP address"],
  ["::ffff:192.0.2.1", "IP address"],
  ["[192.0.2.1]", "IP address"],
  ["[2001:db8::1]", "IP address"],
  ["[IPv6:2001:db8::1]", "IP address"],
  ["１.２.３.４", "top level"],
  ["relay", "bare"],
  ["localhost", "bare"],
  ["", "empty label"],
  [".", "empty label"],
  ["relay..example.com", "empty label"],
  [".relay.example.com", "empty label"],
  ["relay.example.com.", "empty label"],
  ["relay.example.com:25", "port"],
  ["relay.example.com:", "port"],
  ["relay.example.com/", "characters"],
  ["relay.example.com ", "characters"],
  ["relay.example.com\r\n", "characters"],
  ["relay.example.com\0", "host name"],
  ["smtp://relay.example.com", "characters"],
  ["user@relay.example.com", "characters"],
  ["relay%2eexample.com", "characters"],
  ["*.example.com", "label"],
  ["relay_1.example.com", "label"],
  ["-relay.example.com", "label"],
  ["relay-.example.com", "label"],
  [`${LABEL_63}a.example.com`, "63"],
  [`b.${NAME_253}`, "253"],
  ["relay.example.123", "top level"],
  ["relay.example.1a", "top level"],
])("refuses %j, for it is or has %s", (text, problem) => {
  expect(readHostName(text)).toEqual({ ok: false, problem: expect.stringContaining(problem) as string });
});

it("takes every name of proper labels with a top level of letters", () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9]{0,20}[a-z0-9])?$/);
  const top = fc.stringMatching(/^[a-z]{2,10}$/);
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 5 }), top, (labels, last) => {
      const name = [...labels, last].join(".");
      expect(readHostName(name)).toEqual({ ok: true, name });
    }),
  );
});

it("never throws, and what it takes it takes again unchanged, free of everything that an address or a URL has", () => {
  const url = fc.domain().map((domain) => `https://${domain}/`);
  fc.assert(
    fc.property(fc.oneof(anyText(), fc.ipV4(), fc.ipV6(), url, fc.domain()), (text) => {
      const read = readHostName(text);
      if (!read.ok) return;
      expect(read.name).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
      expect(readHostName(read.name)).toEqual(read);
    }),
  );
});

it.each([":", "1:", "a:1", ".", "ü.", "a"])("tells at once that thousands of %j are too long", (piece) => {
  const started = performance.now();
  expect(readHostName(`${piece.repeat(1_500)}!`)).toMatchObject({ ok: false });
  expect(performance.now() - started).toBeLessThan(2_000);
});
