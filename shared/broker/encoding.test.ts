import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeBody, encodeBody, parse } from "./encoding.ts";

it("gives back any JSON and any bytes behind it", () => {
  fc.assert(
    fc.property(fc.object(), fc.uint8Array({ minLength: 1 }), (body, bytes) => {
      const content = Buffer.from(bytes);
      const decoded = decodeBody(encodeBody({ body, content }).bytes);
      expect(decoded.json).toEqual(JSON.parse(JSON.stringify(body)));
      expect(decoded.content.equals(content)).toBe(true);
    }),
  );
});

it("is pure JSON where there is no content", () => {
  const encoded = encodeBody({ body: { a: "ü" }, content: Buffer.alloc(0) });
  expect(encoded).toEqual({ bytes: Buffer.from('{"a":"ü"}'), contentType: "application/json" });
});

it("takes a raw body as it is", () => {
  const raw = Buffer.from("anything\nat all");
  expect(encodeBody({ body: { a: 1 }, raw }).bytes).toBe(raw);
});

it("says undefined of what is no JSON", () => {
  expect(parse(Buffer.from("{"))).toBeUndefined();
  expect(decodeBody(Buffer.from("\nrest"))).toEqual({ json: undefined, content: Buffer.from("rest") });
});

it("does not read what has more values than any message of ours", () => {
  expect(parse(Buffer.from(`[${"{},".repeat(200_000)}{}]`))).toBeUndefined();
});
