// Nothing is connected to that is in a refused network, in whatever notation its address comes, and after DNS.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import type { NotifierAlone } from "#test/support/notifier.ts";
import { startNotifier } from "#test/support/notifier.ts";

const REFUSED: unknown = expect.stringContaining("a network that is refused");

let notifier: NotifierAlone;
let endpoint: Endpoint;
let account: string;

beforeAll(async () => {
  // Only an address that no test server has is allowed.
  notifier = await startNotifier({ WAYPOST_ALLOW_NETWORKS: "127.255.255.254/32" });
  endpoint = await startEndpoint(undefined, { address: "0.0.0.0" });
  account = (await notifier.account())._id;
});

afterAll(async () => {
  await notifier.stop();
  await endpoint.close();
});

it.each([
  "127.0.0.1",
  "2130706433",
  "0x7f000001",
  "0177.0.0.1",
  "127.1",
  "0x7f.1",
  "017700000001",
  "127.0.0.1.",
  "127。0。0。1",
  "１２７.0.0.1",
  "%31%32%37.0.0.1",
  "user:pass@127.0.0.1",
  "[::127.0.0.1]",
  "[::ffff:0:127.0.0.1]",
  "[0:0:0:0:0:ffff:7f00:0001]",
  "[fec0::1]",
  "100.64.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "0",
  "0.0.0.0",
  "localhost",
  "LOCALHOST.",
  "[::1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[64:ff9b::127.0.0.1]",
  "[2002:7f00:1::]",
  "169.254.169.254",
  "10.0.0.1",
  "192.168.0.1",
  "[fd00::1]",
  "[fe80::1]",
  "127-0-0-1.loop.test",
  "both.loop.test",
  "mapped.loop.test",
])("refuses http://%s", async (host) => {
  notifier.system.dns.set("both.loop.test", { a: ["127.0.0.1", "10.1.1.1"], aaaa: ["::1"] });
  notifier.system.dns.set("mapped.loop.test", { aaaa: ["::ffff:127.0.0.1"] });
  const url = `http://${host}:${endpoint.port}/`;
  const reply = await notifier.command({ command: "test-endpoint", account, url });
  expect(reply).toMatchObject({ status: "done", result: { samples: [{ ok: false, status: 0, reason: REFUSED }] } });
  expect(endpoint.requests).toHaveLength(0);
  expect(endpoint.openConnections).toBe(0);
});
