import { describe, expect, it } from "vitest";
import { createNetworkPolicy } from "#shared/network/policy.ts";
import { createSealer } from "#shared/secrets.ts";
import { aRelay } from "#test/support/build-mail.ts";
import { orderHosts } from "./resolve-mx.ts";
import type { TargetPorts } from "./target.ts";
import { relayKey, relayTargets } from "./target.ts";

const sealer = createSealer(Buffer.alloc(32, 1));
const ports: TargetPorts = {
  network: createNetworkPolicy({
    WAYPOST_DNS_SERVERS: undefined,
    WAYPOST_STATIC_HOSTS: [
      { name: "relay.example.com", address: "8.8.8.8" },
      { name: "relay.example.com", address: "2606:4700::1" },
      { name: "inside.example.com", address: "10.0.0.1" },
    ],
    WAYPOST_ALLOW_NETWORKS: undefined,
  }),
  sealer,
  isLocal: (address) => address !== "192.0.2.1",
  isOurListener: (address, port) => address === "8.8.8.8" && port === 2525,
};

describe("the targets of a relay", () => {
  it("are its checked addresses, with its credentials in clear", async () => {
    const relay = aRelay({ auth: { user: "us", password: sealer.seal("a secret") } });
    const found = await relayTargets(relay, undefined, ports);
    expect(found).toMatchObject({
      ok: true,
      targets: [
        { address: "8.8.8.8", auth: { user: "us", password: "a secret" } },
        { address: "2606:4700::1", tls: "opportunistic" },
      ],
    });
  });

  it("are of the family of the dedicated IP", async () => {
    const found = await relayTargets(aRelay(), "2001:db8::7", ports);
    expect(found).toMatchObject({ ok: true, targets: [{ address: "2606:4700::1", localAddress: "2001:db8::7" }] });
  });

  it.each([
    ["network-refused", aRelay({ host: "inside.example.com" }), undefined],
    ["source-address-missing", aRelay(), "192.0.2.1"],
    ["secret-unreadable", aRelay({ auth: { user: "us", password: "v1.no.such.secret" } }), undefined],
    ["relay-loop", aRelay({ port: 2525 }), "198.51.100.1"],
  ])("are none: %s", async (cause, relay, sourceIp) => {
    expect(await relayTargets(relay, sourceIp, ports)).toMatchObject({ ok: false, end: { cause } });
  });

  it("have another key when anything of the way there changes", () => {
    const keyOf = (changes: object, sourceIp?: string): string =>
      relayKey({
        kind: "relay",
        relay: aRelay(changes),
        tls: "opportunistic",
        because: [],
        ...(sourceIp === undefined ? {} : { sourceIp }),
      });
    const keys = [
      keyOf({}),
      keyOf({ port: 26 }),
      keyOf({ tls: "required" }),
      keyOf({ host: "b.example" }),
      keyOf({}, "::1"),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyOf({ maxConnections: 3 })).toBe(keys[0]);
  });
});

it("orders exchangers by preference, shuffled among equals", () => {
  const records = [
    { exchange: "b", priority: 10 },
    { exchange: "c", priority: 10 },
    { exchange: "a", priority: 5 },
  ];
  const draws = [0.9, 0.1, 0.5];
  expect(orderHosts(records, () => draws.shift() ?? 0)).toEqual(["a", "c", "b"]);
  expect(orderHosts(records, () => 0)).toEqual(["a", "b", "c"]);
});
