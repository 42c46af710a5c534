// A change through the administration API reaches whoever watches the configuration within a second, whatever happened between.
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { Clock } from "#shared/clock.ts";
import { systemClock } from "#shared/clock.ts";
import { followConfiguration } from "#shared/follow-configuration.ts";
import { createLog } from "#shared/log.ts";
import type { ConfigurationPort } from "#shared/routing/configuration.ts";
import { watchConfiguration } from "#shared/store/configuration.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import { eventually } from "#test/support/eventually.ts";
import type { System } from "#test/support/system.ts";
import { connect } from "#test/support/runtime.ts";
import { startSystem } from "#test/support/system.ts";

const WITHIN_MS = 1_000;
const log = createLog("test", "silent");

let system: System;
let store: Store;
let configuration: ConfigurationPort;

beforeAll(async () => {
  system = await startSystem({ services: ["control"] });
  store = connectStore(system.mongodbUri, log);
  configuration = await watchConfiguration(store, log, systemClock);
});
afterAll(async () => {
  await configuration.close();
  await store.close();
  await system.stop();
});

it("tells of accounts, domains and relays as they are made, changed and removed", async () => {
  const { name, domain } = await system.account();
  expect(await eventually(() => configuration.current().domain(name, domain) !== undefined, WITHIN_MS)).toBe(true);
  const path = `/v1/accounts/${name}/domains/${domain}/relay`;
  await system.control.put(path, { host: "one.example.net" });
  expect(
    await eventually(() => configuration.current().relay(name, domain)?.host === "one.example.net", WITHIN_MS),
  ).toBe(true);
  await system.control.put(path, { host: "two.example.net" });
  expect(
    await eventually(() => configuration.current().relay(name, domain)?.host === "two.example.net", WITHIN_MS),
  ).toBe(true);
  await system.control.post(`${path}/suspend`);
  expect(await eventually(() => configuration.current().relay(name, domain)?.held === true, WITHIN_MS)).toBe(true);
  await system.control.post(`${path}/resume`);
  expect(await eventually(() => configuration.current().relay(name, domain)?.resumedCount === 1, WITHIN_MS)).toBe(true);
  await system.control.delete(path);
  expect(await eventually(() => configuration.current().relay(name, domain)?.removed !== undefined, WITHIN_MS)).toBe(
    true,
  );
  await system.control.delete(`/v1/accounts/${name}`);
  expect(await eventually(() => configuration.current().account(name)?.removedAt !== undefined, WITHIN_MS)).toBe(true);
});

it("tells whoever listens, after each change", async () => {
  const heard: string[] = [];
  const stop = configuration.onChange((current) => heard.push(...current.accounts().map(({ _id }) => _id)));
  const { name } = await system.account();
  expect(await eventually(() => heard.includes(name), WITHIN_MS)).toBe(true);
  stop();
});

it("is told of a change by control, and does not wait for its next look", async () => {
  const neverByItself: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(2 ** 31 - 1, signal) };
  const broker = connect(system.amqpUrl);
  const followed = await followConfiguration({ broker, store, log, clock: neverByItself });
  onTestFinished(() => followed.close());
  const heard = new Set<string>();
  followed.onChange((current) => current.accounts().forEach(({ _id }) => heard.add(_id)));
  // Whoever listens is there a moment after the broker: what was told before then is told by the next change.
  expect(await eventually(async () => heard.has((await system.account()).name))).toBe(true);
});

it("has all that control answered, once it was confirmed", async () => {
  for (let round = 0; round < 20; round += 1) {
    const { name, domain } = await system.account();
    expect((await configuration.confirmed()).domain(name, domain)).toBeDefined();
  }
});

it("knows an account by its broker user", async () => {
  const user = `user-${systemClock.uuid()}`;
  const { name } = await system.account({ brokerUser: user });
  expect(await eventually(() => configuration.current().accountOfBrokerUser(user)?._id === name, WITHIN_MS)).toBe(true);
});

it("comes to know of what was changed past control", async () => {
  const { name } = await system.account();
  expect(await eventually(() => configuration.current().account(name) !== undefined, WITHIN_MS)).toBe(true);
  await store.collection("accounts").drop();
  expect(await eventually(() => configuration.current().account(name) === undefined)).toBe(true);
  const next = await system.account();
  expect(await eventually(() => configuration.current().account(next.name) !== undefined)).toBe(true);
});

it("still tells the configuration that it started with when the database has been silent since", async () => {
  const { name } = await system.account();
  let sleptMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + sleptMs };
  const started = await watchConfiguration(store, log, clock);
  onTestFinished(() => started.close());
  sleptMs = 3_600_000;
  expect(started.isFresh).toBe(false);
  expect(started.newest?.account(name)).toBeDefined();
});

it("is not fresh without a database, and says so instead of answering", async () => {
  const absent = connectStore("mongodb://127.0.0.1:1/none?replicaSet=rs0", log);
  const port = await watchConfiguration(absent, log, systemClock);
  expect(port.isFresh).toBe(false);
  expect(() => port.current()).toThrow(
    expect.objectContaining({ code: "CONFIGURATION_STALE", retriable: true }) as Error,
  );
  const confirmed = port.confirmed();
  await expect(confirmed).rejects.toThrow("could not be confirmed");
  await port.close();
  await expect(port.confirmed()).rejects.toThrow("could not be confirmed");
  await absent.close();
});
