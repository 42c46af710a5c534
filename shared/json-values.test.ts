import fc from "fast-check";
import { expect, it } from "vitest";
import { hasFewValues, MOST_JSON_VALUES } from "./json-values.ts";

const listOf = (value: string, count: number): Buffer => Buffer.from(`[${`${value},`.repeat(count - 1)}${value}]`);

it.each(["0", "{}", "[]", '""', "null"])("tells a list of too many values: %s", (value) => {
  expect(hasFewValues(listOf(value, MOST_JSON_VALUES * 2))).toBe(false);
});

it("takes as many as there may be, and tells one more", () => {
  expect(hasFewValues(listOf("123", MOST_JSON_VALUES - 2))).toBe(true);
  expect(hasFewValues(listOf("123", MOST_JSON_VALUES + 1))).toBe(false);
});

it("counts nothing within a string, whatever it holds", () => {
  const piece = fc.constantFrom(",", "[", "{", '"', "\\", 'x","', '\\"', "\\\\");
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 9 }), (pieces) => {
      const long = pieces.join("").repeat(Math.ceil((2 * MOST_JSON_VALUES) / pieces.join("").length));
      expect(hasFewValues(Buffer.from(JSON.stringify({ a: [long, long] })))).toBe(true);
      expect(hasFewValues(Buffer.concat([Buffer.from(JSON.stringify(long)), listOf("0", 2 * MOST_JSON_VALUES)]))).toBe(
        false,
      );
    }),
    { numRuns: 20 },
  );
}, 30_000);

it("looks at a large text once, also one whose strings never end", () => {
  const [most, quotes, slashes] = [4 * 1024 * 1024, Buffer.from('"\\"'), Buffer.from("\\")];
  for (const text of [
    Buffer.alloc(most, "x"),
    Buffer.alloc(most, quotes),
    Buffer.alloc(most, slashes).fill('"', 0, 1),
  ]) {
    // Many times over, it would not end in time.
    expect(hasFewValues(text)).toBe(true);
  }
});
