import { describe, expect, it } from "vitest";
import { aConfiguration, aDomain, anAccount, aRelay, RECEIVED_TS } from "#test/support/build-mail.ts";
import type { Configuration } from "./configuration.ts";
import { isMxForRelayed } from "./fail-closed.ts";
import type { RouteQuestion } from "./route.ts";
import { route } from "./route.ts";

const question = (changes: Partial<RouteQuestion> = {}): RouteQuestion => ({
  account: "acme",
  sender: "news@example.com",
  recipient: "to@example.net",
  ...changes,
});

const relayed = aConfiguration({ relays: [aRelay()] });

describe("a mail of a sender domain without a relay", () => {
  it("takes the MX of the recipient's domain", () => {
    expect(route(question(), aConfiguration())).toMatchObject({ kind: "mx", domain: "example.net" });
  });

  it("looks the domain up as A-labels", () => {
    expect(route(question({ recipient: "to@BÜCHER.example" }), aConfiguration())).toMatchObject({
      kind: "mx",
      domain: "xn--bcher-kva.example",
    });
  });
});

describe("a mail of a sender domain with a relay", () => {
  it.each(["news@example.com", "NEWS@EXAMPLE.COM", "other@example.com", "news@Example.Com."])(
    "from %s takes it",
    (sender) => {
      expect(route(question({ sender }), relayed)).toMatchObject({
        kind: "relay",
        relay: { host: "relay.example.com" },
      });
    },
  );

  it.each(["news@sub.example.com", "news@example.org", "news@notexample.com"])("from %s does not", (sender) => {
    expect(route(question({ sender }), relayed)).toMatchObject({ kind: "mx" });
  });

  it("takes no relay of another account", () => {
    const two = aConfiguration({ accounts: [anAccount(), anAccount({ _id: "other" })], relays: [aRelay()] });
    expect(route(question({ account: "other" }), two)).toMatchObject({ kind: "mx" });
  });

  it("compares internationalised domains by their A-labels", () => {
    const configuration = aConfiguration({
      domains: [aDomain({ domain: "xn--bcher-kva.example" })],
      relays: [aRelay({ domain: "xn--bcher-kva.example" })],
    });
    expect(route(question({ sender: "a@Bücher.example" }), configuration)).toMatchObject({ kind: "relay" });
  });

  it("still takes a relay that is suspended: it waits", () => {
    const held = aConfiguration({ relays: [aRelay({ held: true })] });
    const found = route(question(), held);
    expect(found).toMatchObject({ kind: "relay" });
    expect(found.because.join(" ")).toContain("suspended");
  });
});

describe("a relay with sender addresses", () => {
  const configuration = aConfiguration({ relays: [aRelay({ senders: ["news@example.com", "jörg@example.com"] })] });

  it.each(["news@example.com", "News@EXAMPLE.com", "JÖRG@example.com", '"news"@example.com'])(
    "is taken by %s",
    (sender) => {
      expect(route(question({ sender }), configuration)).toMatchObject({ kind: "relay" });
    },
  );

  it("is not taken by another sender of the domain", () => {
    const found = route(question({ sender: "billing@example.com" }), configuration);
    expect(found).toMatchObject({ kind: "mx" });
    expect(found.because).toEqual([
      "account acme has a relay for example.com, relay.example.com, for 2 sender addresses only",
      "billing@example.com is none of them",
      "so the default route: the MX of example.net",
    ]);
  });
});

describe("the dedicated IP of an account", () => {
  const accounts = [anAccount({ dedicatedIp: "127.0.0.7" })];

  it.each([
    ["relay", aConfiguration({ accounts, relays: [aRelay()] })],
    ["mx", aConfiguration({ accounts })],
  ])("is the source on the way by %s", (kind, configuration) => {
    expect(route(question(), configuration)).toMatchObject({ kind, sourceIp: "127.0.0.7" });
  });
});

describe("a relay that is removed or disabled", () => {
  const at = new Date("2026-03-01T13:00:00.000Z");
  const queued = { lane: "delivery.relay.acme.example.com", receivedTs: RECEIVED_TS };
  const bouncing = aConfiguration({ relays: [aRelay({ enabled: false, removed: { at, waiting: "bounce" } })] });

  it.each([
    ["disabled", aRelay({ enabled: false })],
    ["removed, its mails to be routed again", aRelay({ removed: { at, waiting: "reroute" } })],
    ["removed, its mails to bounce", aRelay({ removed: { at, waiting: "bounce" } })],
  ])("means the default route for new mails: %s", (_, relay) => {
    expect(route(question(), aConfiguration({ relays: [relay] }))).toMatchObject({ kind: "mx" });
  });

  it("bounces what waited for it when the operator said so", () => {
    expect(route(question({ queued }), bouncing)).toMatchObject({ kind: "bounce" });
  });

  it("does not bounce what waits elsewhere or came later", () => {
    const later = { ...queued, receivedTs: "2026-03-01T13:00:00.001Z" };
    expect(route(question({ queued: { ...queued, lane: "delivery.mx.3" } }), bouncing)).toMatchObject({ kind: "mx" });
    expect(route(question({ queued: later }), bouncing)).toMatchObject({ kind: "mx" });
  });
});

describe("fail closed", () => {
  it.each<[string, Configuration, Partial<RouteQuestion>]>([
    ["an unknown account", relayed, { account: "nobody" }],
    ["a sender without a domain", relayed, { sender: "" }],
    ["a relay without a host", aConfiguration({ relays: [aRelay({ host: "" })] }), {}],
    [
      "a relay beside message signing",
      aConfiguration({ domains: [aDomain({ messageSigning: true })], relays: [aRelay()] }),
      {},
    ],
    ["a recipient without a domain", aConfiguration(), { recipient: "nobody" }],
  ])("%s is held back, not sent by MX", (_, configuration, changes) => {
    expect(route(question(changes), configuration)).toMatchObject({ kind: "held-back" });
  });

  it("is watched by a second look at the configuration", () => {
    const mx = route(question(), aConfiguration());
    expect(isMxForRelayed(mx, question(), relayed)).toBe(true);
    expect(isMxForRelayed(mx, question(), aConfiguration())).toBe(false);
    expect(isMxForRelayed(route(question(), relayed), question(), relayed)).toBe(false);
    const other = aConfiguration({ relays: [aRelay({ senders: ["billing@example.com"] })] });
    expect(isMxForRelayed(mx, question(), other)).toBe(false);
  });
});

it("says why in words an operator reads", () => {
  expect(route(question(), relayed).because).toEqual([
    "account acme has the relay relay.example.com:25 for the sender domain example.com",
    "it lists no sender addresses, so every sender of the domain takes it",
    "the MX of example.net is not looked up",
  ]);
});
