import { expect, it } from "vitest";
import { createNetworkPolicy } from "./policy.ts";

const STATIC_HOSTS = [
  { name: "Relay.Example.net", address: "127.0.0.1" },
  { name: "public.example.net", address: "8.8.8.8" },
  { name: "public.example.net", address: "10.0.0.1" },
];

const policyWith = (allowed?: string[]) =>
  createNetworkPolicy({
    WAYPOST_DNS_SERVERS: undefined,
    WAYPOST_STATIC_HOSTS: STATIC_HOSTS,
    WAYPOST_ALLOW_NETWORKS: allowed,
  });

it("refuses a host that leads to a refused network only", async () => {
  expect(await policyWith().resolve("relay.example.net")).toMatchObject({ ok: false, failure: "refused" });
});

it("answers a static host, whatever the case and the final dot, where its network is allowed", async () => {
  const expected = { ok: true, addresses: [{ address: "127.0.0.1", family: 4 }] };
  expect(await policyWith(["127.0.0.0/8"]).resolve("RELAY.example.net.")).toEqual(expected);
});

it("leaves out the refused address of a host that has a public one", async () => {
  expect(await policyWith().resolve("public.example.net")).toMatchObject({ addresses: [{ address: "8.8.8.8" }] });
});

it("checks address literals and localhost like any other host", async () => {
  expect(await policyWith().resolve("[::1]")).toMatchObject({ ok: false, failure: "refused" });
  expect(await policyWith().resolve("localhost")).toMatchObject({ ok: false, failure: "refused" });
  expect(await policyWith().resolve("8.8.4.4")).toMatchObject({ ok: true });
});
