// Texts of any characters for property tests.
import type { Arbitrary, StringConstraints } from "fast-check";
import fc from "fast-check";

const between = (min: number, max: number): Arbitrary<string> =>
  fc.integer({ min, max }).map((point) => String.fromCodePoint(point));

const anyCharacter = fc.oneof(between(0, 0x7f), between(0x80, 0xd7ff), between(0xe000, 0x10ffff));

/** Any characters but halves of one. fast-check's unit `binary` gives the same, and takes more than a second to be made, as its URLs do. */
export function anyText(constraints: Omit<StringConstraints, "unit"> = {}): Arbitrary<string> {
  return fc.string({ ...constraints, unit: anyCharacter });
}
