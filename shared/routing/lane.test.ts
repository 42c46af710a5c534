import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aRelay } from "#test/support/build-mail.ts";
import { laneMailboxes } from "#shared/broker/topology.ts";
import { laneNameOfMailbox, laneOf, MX_SHARDS, relayLaneName, shardOf } from "./lane.ts";

const label = fc.stringMatching(/^[a-z0-9]{1,63}$/);
const domain = fc.array(label, { minLength: 2, maxLength: 8 }).map((labels) => labels.join(".").slice(0, 253));
const account = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);

describe("the lane of a relay", () => {
  it("is named by account and domain", () => {
    const lane = laneOf({ kind: "relay", relay: aRelay(), tls: "never", because: [] });
    expect(lane).toEqual({
      kind: "relay",
      name: "delivery.relay.acme.example.com",
      account: "acme",
      domain: "example.com",
    });
  });

  it("over 200 bytes has its first 100 characters and 16 hex digits", () => {
    const long = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.example.com`;
    const name = relayLaneName("acme", long);
    expect(name).toMatch(/^delivery\.relay\.acme\.a{63}\.b{16}\.[0-9a-f]{16}$/);
    expect(relayLaneName("acme", long.replace("example", "exbmple"))).not.toBe(name);
  });

  it("shares no mailbox with the lane of another domain", () => {
    const { bulk } = laneMailboxes(relayLaneName("acme", "example.com"));
    const { interactive } = laneMailboxes(relayLaneName("acme", "example.com.bulk"));
    expect(interactive.name).not.toBe(bulk.name);
    expect(laneNameOfMailbox(interactive.name)).toBe(relayLaneName("acme", "example.com.bulk"));
  });

  it("is a queue name that the broker takes, whatever the account and domain", () => {
    fc.assert(
      fc.property(account, domain, (name, of) => {
        const { interactive, bulk } = laneMailboxes(relayLaneName(name, of));
        expect(Buffer.byteLength(bulk.name)).toBeLessThanOrEqual(255);
        expect(laneNameOfMailbox(bulk.name)).toBe(interactive.name);
      }),
    );
  });
});

describe("the lanes of the default route", () => {
  it("are sharded by the recipient's domain, the same each time", () => {
    fc.assert(
      fc.property(domain, (of) => {
        const shard = shardOf(of);
        expect(shard).toBe(shardOf(of));
        expect(Number.isInteger(shard) && shard >= 0 && shard < MX_SHARDS).toBe(true);
        expect(laneOf({ kind: "mx", domain: of, because: [] }).name).toBe(`delivery.mx.${shard}`);
      }),
    );
  });

  it("spread domains over all shards", () => {
    const shards = new Set(Array.from({ length: 400 }, (_, index) => shardOf(`domain-${index}.example`)));
    expect(shards.size).toBe(MX_SHARDS);
  });

  it.each(["192.0.2.7", "2001:db8::7"])("of the dedicated IP %s is its own", (sourceIp) => {
    expect(laneOf({ kind: "mx", domain: "example.net", sourceIp, because: [] })).toEqual({
      kind: "mx-ip",
      name: `delivery.mx.ip.${sourceIp}`,
      address: sourceIp,
    });
  });
});
