import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createPasswordVerifier, hashPassword, matchesHash } from "./passwords.ts";

it("knows a password by its hash, and no other", async () => {
  const hash = await hashPassword("päss word");
  expect(hash).not.toContain("word");
  expect(await matchesHash("päss word", hash)).toBe(true);
  expect(await matchesHash("pass word", hash)).toBe(false);
  expect(await matchesHash("päss word", "plain text")).toBe(false);
});

it("hashes the same password differently each time", async () => {
  expect(await hashPassword("x")).not.toBe(await hashPassword("x"));
});

it("answers false for an unknown account and for one without a password", async () => {
  const verifier = createPasswordVerifier(systemClock);
  expect(await verifier.verify(undefined, "x")).toBe(false);
  expect(await verifier.verify({ _id: "acme" }, "")).toBe(false);
});

it("forgets at once what was right under an older hash", async () => {
  const verifier = createPasswordVerifier(systemClock);
  const [first, second] = [await hashPassword("first"), await hashPassword("second")];
  expect(await verifier.verify({ _id: "acme", passwordHash: first }, "first")).toBe(true);
  expect(await verifier.verify({ _id: "acme", passwordHash: first }, "first")).toBe(true);
  expect(await verifier.verify({ _id: "acme", passwordHash: second }, "first")).toBe(false);
});

it("asks for a hash once for a password that is given many times at once, and not for one that was right", async () => {
  const verifier = createPasswordVerifier(systemClock);
  const account = { _id: "acme", passwordHash: await hashPassword("right") };
  let begun = 0;
  const verify = (password: string) => verifier.verify(account, password, (hash) => ((begun += 1), hash()));
  expect(await Promise.all(["right", "right", "wrong", "right"].map(verify))).toEqual([true, true, false, true]);
  expect(await verify("right")).toBe(true);
  expect(begun).toBe(2);
  expect(await verifier.verify(account, "other", async () => undefined)).toBeUndefined();
});
