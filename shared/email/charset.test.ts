import { expect, it } from "vitest";
import { decodeBytes } from "./charset.ts";

it.each([
  ["utf-16", [0xfe, 0xff, 0x00, 0x48, 0x00, 0x69]],
  ["UTF-16", [0xff, 0xfe, 0x48, 0x00, 0x69, 0x00]],
  ["utf-16", [0x48, 0x00, 0x69, 0x00]],
  ["utf-16be", [0x00, 0x48, 0x00, 0x69]],
])("reads %s in the order of bytes that its mark tells: %j", (charset, bytes) => {
  expect(decodeBytes(Uint8Array.from(bytes), charset)).toBe("Hi");
});
