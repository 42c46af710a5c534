import { expect, it } from "vitest";
import { createSealer } from "#shared/secrets.ts";
import { aDomain, anAccount, aRelay } from "#test/support/build-mail.ts";
import { withLostSecrets } from "./doctor-secrets.ts";

const [lost, known] = [createSealer(Buffer.alloc(32, 1)), createSealer(Buffer.alloc(32, 2))];

it("names what has a secret that no known key opens, and nothing else", () => {
  const notification = { url: "https://hooks.example/", signingSecret: known.seal("secret") };
  const headers = [{ name: "X-Api-Key", value: lost.seal("key"), isSealed: true as const }];
  const holders = {
    accounts: [anAccount({ notification }), anAccount({ _id: "zeta", notification: { ...notification, headers } })],
    domains: [aDomain({ dkim: { selector: "waypost", privateKey: lost.seal("pem"), relayed: false } })],
    relays: [
      aRelay({ auth: { user: "u", password: lost.seal("password") } }),
      aRelay({ _id: "acme/other.example", auth: { user: "u", password: known.seal("password") } }),
    ],
  };
  expect(withLostSecrets(holders, known)).toEqual([
    "account zeta",
    "domain acme/example.com",
    "relay acme/example.com",
  ]);
});
