import { expect, it } from "vitest";
import { Misuse } from "./client.ts";
import { encode } from "./context.ts";

it.each(["", ".", ".."])("takes %j for no name: it would lead to another path", (text) => {
  expect(() => encode(text)).toThrow(Misuse);
});

it.each([
  ["a@b.example", "a%40b.example"],
  ["a/../b", "a%2F..%2Fb"],
  ["%2e%2e", "%252e%252e"],
])("keeps %s in its place", (text, encoded) => {
  const path = `/v1/accounts/acme/suppressions/${encode(text)}`;
  expect(new URL(path, "http://127.0.0.1").pathname).toBe(`/v1/accounts/acme/suppressions/${encoded}`);
});
