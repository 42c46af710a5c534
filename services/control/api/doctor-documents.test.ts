import { expect, it } from "vitest";
import { aDomain, anAccount, aRelay } from "#test/support/build-mail.ts";
import { wrongWith } from "./doctor-documents.ts";

const RELAY = aRelay();

it("finds nothing wrong with what control writes, tombstones and what later versions add included", () => {
  expect(wrongWith("relays", RELAY)).toBeUndefined();
  expect(wrongWith("relays", { ...RELAY, removed: { at: new Date(), waiting: "bounce" }, later: 1 })).toBeUndefined();
  expect(wrongWith("accounts", anAccount())).toBeUndefined();
  expect(wrongWith("domains", aDomain())).toBeUndefined();
});

it.each([
  ["a host that is null", { ...RELAY, host: null }, /^host: /],
  ["a text for the port", { ...RELAY, port: "25" }, /^port: /],
  ["the key of another domain", { ...RELAY, _id: "acme/other.example" }, /^_id: it should be <account>\/<domain>$/],
  ["nothing but a key", { _id: "acme/acme.example" }, /^account: .*; domain: .*; host: /],
])("says what is wrong with a relay that was written by hand with %s", (_, document, wrong) => {
  expect(wrongWith("relays", document)).toMatch(wrong);
});
