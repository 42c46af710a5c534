import { expect, it } from "vitest";
import { mayGoOnInClear } from "./open-session.ts";

it("goes on in clear where TLS is wished for and fails, but with no credentials, and not where TLS comes first", () => {
  const target = { tls: "opportunistic", auth: undefined, port: 25 } as const;
  expect(mayGoOnInClear(target)).toBe(true);
  expect(mayGoOnInClear({ ...target, tls: "required" })).toBe(false);
  expect(mayGoOnInClear({ ...target, auth: { user: "u", password: "p" } })).toBe(false);
  expect(mayGoOnInClear({ ...target, port: 465 })).toBe(false);
});
