// What an operator asks of a service is done by what was configured before, also where the service was not told of it yet.
import { afterAll, beforeAll, expect, it } from "vitest";
import { createLog } from "#shared/log.ts";
import type { Account } from "#shared/routing/configuration.ts";
import { createAccounts } from "#shared/store/accounts.ts";
import { inTurn } from "#shared/store/changes.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import { newDomain } from "#test/support/administration.ts";
import { nameOf } from "#test/support/addresses.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

let system: System;
let store: Store;

beforeAll(async () => {
  system = await startSystem({ services: ["control", "delivery", "notifier"] });
  store = connectStore(system.mongodbUri, createLog("test", "silent"));
});
afterAll(async () => {
  await store.close();
  await system.stop();
});

/** As control writes it, but telling nobody: services find it at their next look, half a second later at most. */
async function changeUntold(name: string, change: Partial<Account>): Promise<void> {
  const accounts = createAccounts(store);
  await inTurn(store, name, async (session) => {
    const account = await accounts.find(name, session);
    if (account === undefined) throw new Error(`no account ${name}`);
    await accounts.write({ ...account, ...change }, session);
  });
}

it("verifies a relay from the dedicated IP that the account has now", async () => {
  const sources: string[] = [];
  const server = await startMailServer({
    script: { connect: ({ remoteAddress }) => void sources.push(remoteAddress) },
  });
  const { account, relay } = await newDomain(system);
  await system.control.put(relay, { host: nameOf(server.address), port: server.port });
  await system.control.post(`${relay}/verify`);
  await changeUntold(account, { dedicatedIp: "127.88.3.10" });
  await system.control.post(`${relay}/verify`);
  await server.close();
  expect(sources.at(-1)).toBe("127.88.3.10");
});

it("tries an endpoint with the details that the account has now", async () => {
  const endpoint = await startEndpoint(() => ({ status: 200 }));
  const account = await system.account({ notification: { url: endpoint.url } });
  const wanted = { account: account.name, url: endpoint.url };
  await system.control.post("/v1/notifications/test", wanted);
  const before = endpoint.requests.length;
  await changeUntold(account.name, {
    notification: { url: endpoint.url, headers: [{ name: "X-Key", value: "of now" }] },
  });
  await system.control.post("/v1/notifications/test", wanted);
  await endpoint.close();
  expect(before).toBeGreaterThan(0);
  expect(endpoint.requests.slice(before).map(({ headers }) => headers["x-key"])).toEqual(Array(before).fill("of now"));
});
