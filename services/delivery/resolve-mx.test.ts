import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createNetworkPolicy } from "#shared/network/policy.ts";
import type { DnsResolver, TlsaRecord } from "#shared/network/resolver.ts";
import { createSealer } from "#shared/secrets.ts";
import type { MxPorts } from "./resolve-mx.ts";
import { mxTargets } from "./resolve-mx.ts";

const HOST = "mx.example.com";
const missing = { ok: false, failure: "nxdomain", text: "does not exist" } as const;

/** A domain with these exchangers, best first, of which only HOST has an address. */
function portsWith(exchanges: readonly string[], tlsa: readonly TlsaRecord[] = []): MxPorts {
  const network = createNetworkPolicy({
    WAYPOST_DNS_SERVERS: undefined,
    WAYPOST_STATIC_HOSTS: undefined,
    WAYPOST_ALLOW_NETWORKS: undefined,
  });
  const dns: DnsResolver = {
    ...network.dns,
    mx: async () => ({ ok: true, records: exchanges.map((exchange, priority) => ({ exchange, priority })) }),
    tlsa: async () => (tlsa.length === 0 ? missing : { ok: true, records: tlsa }),
  };
  return {
    network: {
      ...network,
      dns,
      resolve: async (host) =>
        host === HOST ? { ok: true, addresses: [{ address: "8.8.8.8", family: 4 }] } : { ...missing },
    },
    clock: systemClock,
    sealer: createSealer(Buffer.alloc(32, 1)),
    isLocal: () => true,
    isOurListener: () => false,
    mtaSts: { demandOn: async () => undefined },
    port: 25,
    usesDane: tlsa.length > 0,
  };
}

const question = { domain: "example.com", sourceIp: undefined };

it("a domain whose best exchangers lead nowhere is delivered to by the one that has an address, however far back", async () => {
  const dangling = Array.from({ length: 12 }, (_, index) => `gone${index}.example.com`);
  const found = await mxTargets(question, portsWith([...dangling, HOST]));
  expect(found).toMatchObject({ ok: true, targets: [{ host: HOST }] });
});

it("nobody waits for the names of others where one of the best exchangers has an address", async () => {
  const others = Array.from({ length: 6 }, (_, index) => `mx${index}.example.com`);
  const ports = portsWith([HOST, ...others]);
  const asked: string[] = [];
  const resolve: typeof ports.network.resolve = async (host) => {
    asked.push(host);
    return ports.network.resolve(host);
  };
  await mxTargets(question, { ...ports, network: { ...ports.network, resolve } });
  expect(asked).toEqual([HOST, ...others.slice(0, 5)]);
});

const digest = Buffer.alloc(32, 7);
const RECORD: TlsaRecord = { usage: 3, selector: 1, matchingType: 1, cert: digest };

it.each<[string, Partial<TlsaRecord>]>([
  ["a usage that SMTP does not have", { usage: 1 }],
  ["a selector that nobody knows", { selector: 9 }],
  ["a matching type that nobody knows", { matchingType: 9 }],
  ["half a digest", { cert: digest.subarray(16) }],
])("TLS without a certificate is what TLSA records demand that all have %s", async (_name, change) => {
  const ports = portsWith([HOST], [{ ...RECORD, ...change }]);
  expect(await mxTargets(question, ports)).toMatchObject({ targets: [{ tls: "required", certificate: undefined }] });
  const strict: MxPorts = { ...ports, mtaSts: { demandOn: async () => () => "verified" } };
  expect(await mxTargets(question, strict)).toMatchObject({ targets: [{ tls: "verified", certificate: undefined }] });
});

it("a usable TLSA record counts before MTA-STS", async () => {
  const ports: MxPorts = { ...portsWith([HOST], [RECORD]), mtaSts: { demandOn: async () => () => "verified" } };
  const found = await mxTargets(question, ports);
  expect(found).toMatchObject({ targets: [{ tls: "required", certificate: expect.any(Function) }] });
});
