import { expect, it } from "vitest";
import { serialOf } from "./self-signed.ts";

it("gives a made certificate a serial number that DER allows, whatever is drawn", () => {
  expect([...new Uint8Array(serialOf(Uint8Array.of(0x00, 0x01, 0xff)))]).toEqual([0x40, 0x01, 0xff]);
  expect([...new Uint8Array(serialOf(Uint8Array.of(0xff, 0x00)))]).toEqual([0x7f, 0x00]);
});
