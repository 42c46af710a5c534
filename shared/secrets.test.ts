import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { createSealer } from "./secrets.ts";

const oldKey = randomBytes(32);
const newKey = randomBytes(32);

it("opens what it has sealed, and seals the same text differently each time", () => {
  const sealer = createSealer(newKey);
  const first = sealer.seal("pässword");
  expect(sealer.open(first)).toBe("pässword");
  expect(sealer.seal("pässword")).not.toBe(first);
  expect(first).not.toContain("pässword");
});

it("opens with the previous key after a rotation", () => {
  const sealed = createSealer(oldKey).seal("secret");
  const sealer = createSealer(newKey, oldKey);
  expect(sealer.open(sealed)).toBe("secret");
  expect([sealed, sealer.seal("secret")].map((text) => sealer.isCurrent(text))).toEqual([false, true]);
});

it("refuses a secret of an unknown key and a changed one, with a stable code", () => {
  const sealed = createSealer(oldKey).seal("secret");
  expect(() => createSealer(newKey).open(sealed)).toThrow(expect.objectContaining({ code: "SECRET_UNREADABLE" }));
  const changed = `${sealed.slice(0, -2)}${sealed.endsWith("AA") ? "BB" : "AA"}`;
  expect(() => createSealer(oldKey).open(changed)).toThrow(expect.objectContaining({ code: "SECRET_UNREADABLE" }));
  expect(() => createSealer(oldKey).open("no secret")).toThrow(expect.objectContaining({ code: "SECRET_UNREADABLE" }));
});
