// What `waypost doctor` says of the queues, of DNS and secrets, and while the database is away.
import { expect, it } from "vitest";
import { BrokerUnavailable, StoreUnavailable } from "#shared/errors.ts";
import { createSealer } from "#shared/secrets.ts";
import { aConfiguration, aRelay } from "#test/support/build-mail.ts";
import type { ApiContext } from "./context.ts";
import { examine } from "./doctor.ts";

it("says nothing of relays while the database is away, rather than that there are none", async () => {
  const context = {
    broker: { ready: true, depth: async () => 0, differs: async () => false },
    store: { ping: () => Promise.reject(new StoreUnavailable("away")), failure: "Authentication failed." },
    configuration: { isFresh: false },
  } as unknown as ApiContext;
  const checks = await examine(context);
  expect(checks.at(-1)).toMatchObject({ check: "database", detail: "Authentication failed." });
  expect(checks.map(({ check, ok }) => [check, ok])).toEqual([
    ["broker", true],
    ["topology", true],
    ["database", false],
  ]);
});

it("names queues that are missing, and those that somebody declared otherwise", async () => {
  const context = {
    broker: {
      ready: true,
      depth: async (name: string) => (name === "notifier.events" ? undefined : 0),
      differs: async ({ name }: { name: string }) => name === "router.due",
    },
    store: { ping: () => Promise.reject(new StoreUnavailable("away")) },
    configuration: { isFresh: false },
  } as unknown as ApiContext;
  const checks = await examine(context);
  expect(checks.filter(({ check }) => check === "topology")).toEqual([
    expect.objectContaining({ ok: false, detail: "missing: notifier.events" }),
    expect.objectContaining({ ok: false, detail: "not as Waypost declares it: router.due" }),
  ]);
});

it("waits for what delivery says of relays as long as silent DNS servers keep it, and names what cannot be opened", async () => {
  const silentMs = 16_000;
  const hosts = [{ host: "relay.example.com", ok: false, detail: "DNS look-up failed (ETIMEOUT)" }];
  const relay = aRelay({ auth: { user: "u", password: createSealer(Buffer.alloc(32, 1)).seal("password") } });
  const context = {
    broker: {
      ready: true,
      depth: async () => 0,
      differs: async () => false,
      request: async (_service: string, _command: object, timeoutMs: number) => {
        if (timeoutMs <= silentMs) throw new BrokerUnavailable("no answer in time");
        return { status: "done", result: { hosts } };
      },
    },
    store: { ping: async () => undefined, collection: () => ({ find: () => ({ toArray: async () => [] }) }) },
    configuration: { isFresh: true, current: () => aConfiguration({ relays: [relay] }) },
    deadLetters: { count: async () => 0 },
    domains: { withPrefix: async () => [] },
    lanes: { of: async () => ({ depth: 0, inFlight: 0, state: "active" }) },
    sealer: createSealer(Buffer.alloc(32, 2)),
  } as unknown as ApiContext;
  const wrong = (await examine(context)).filter(({ ok }) => !ok);
  expect(wrong.map(({ check, detail }) => [check, detail])).toEqual([
    ["secrets", "no known key opens those of relay acme/example.com"],
    ["dns relay.example.com", "DNS look-up failed (ETIMEOUT)"],
  ]);
});

it("says that the broker refuses to be asked about its queues, and nothing of what it could not ask", async () => {
  const refused = (): Promise<never> => Promise.reject(new Error("403 (ACCESS-REFUSED): access to queue refused"));
  const context = {
    broker: { ready: true, depth: refused, differs: refused },
    store: { ping: async () => undefined },
    deadLetters: { count: async () => 0 },
    configuration: { isFresh: true },
  } as unknown as ApiContext;
  const checks = await examine(context);
  expect(checks.map(({ check, ok }) => [check, ok])).toEqual([
    ["broker", false],
    ["database", true],
    ["configuration", true],
    ["dead letters", true],
  ]);
  expect(checks[0]).toMatchObject({ detail: "403 (ACCESS-REFUSED): access to queue refused" });
});
