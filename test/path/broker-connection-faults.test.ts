// Connections to the broker that are cut, stalled and slowed: every message arrives, and nobody has to help.
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { expect, it, onTestFinished } from "vitest";
import type { Broker } from "#shared/broker/actor.ts";
import { QUEUES } from "#shared/broker/topology.ts";
import { systemClock } from "#shared/clock.ts";
import { ownPlace, testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";
import { takeSpans } from "#test/support/recorded-spans.ts";
import type { Numbered, RuntimeOptions } from "#test/support/runtime.ts";
import { connect, numberedContracts, toDue } from "#test/support/runtime.ts";
import type { TcpProxy } from "#test/support/tcp-proxy.ts";
import { startTcpProxy } from "#test/support/tcp-proxy.ts";

/** Long enough for two heartbeats to be missed and the connection to be made again. */
const BACK_MS = 30_000;

interface Setting {
  proxy: TcpProxy;
  broker: Broker;
  taken: Map<number, { unmarked: number }>;
}

async function behindProxy(options: RuntimeOptions = {}): Promise<Setting> {
  const place = await ownPlace(testBacking());
  const url = new URL(place.amqpUrl.split(",")[0] ?? "");
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || 5_672) });
  onTestFinished(async () => {
    await proxy.close();
    await place.remove();
  });
  url.host = `127.0.0.1:${proxy.port}`;
  const broker = connect(url.href, options);
  await eventually(() => broker.ready);
  const taken: Setting["taken"] = new Map();
  broker.start<Numbered>({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 20,
    handle: async ({ message, suspect }) => {
      const before = taken.get(message.n)?.unmarked ?? 0;
      taken.set(message.n, { unmarked: before + (suspect ? 0 : 1) });
      return { kind: "done", publish: [] };
    },
  });
  return { proxy, broker, taken };
}

/** Messages that came twice without the second being marked as suspect. */
function doubles({ taken }: Setting): number[] {
  return [...taken].filter(([, { unmarked }]) => unmarked > 1).map(([n]) => n);
}

it("comes back after its connections were reset again and again under load", async () => {
  const setting = await behindProxy();
  const count = 1_000;
  const published: Promise<void>[] = [];
  for (let n = 0; n < count; n += 100) {
    published.push(setting.broker.publish(Array.from({ length: 100 }, (_, index) => toDue(n + index))));
    await eventually(() => setting.taken.size > n / 2);
    setting.proxy.cut();
  }
  await Promise.all(published);
  await eventually(() => setting.taken.size === count, BACK_MS);
  expect(doubles(setting)).toEqual([]);
}, 120_000);

it("notices connections that pass nothing on, says that it is not ready, and goes on when they flow again", async () => {
  const setting = await behindProxy();
  await setting.broker.publish([toDue(0)]);
  await eventually(() => setting.taken.size === 1);

  setting.proxy.stall();
  const waiting = setting.broker.publish([toDue(1)]);
  await expect(setting.broker.publish([toDue(2)], { timeoutMs: 500 })).rejects.toMatchObject({
    code: "BROKER_UNAVAILABLE",
  });
  await eventually(() => !setting.broker.ready, BACK_MS);
  setting.proxy.flow();

  await waiting;
  await eventually(() => setting.taken.has(1), BACK_MS);
  expect(setting.broker.ready).toBe(true);
}, 120_000);

it("gives up in time what is not confirmed, though the clock is set back meanwhile", async () => {
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const { proxy, broker } = await behindProxy({ clock });
  proxy.stall();
  const published = broker.publish([toDue(0)], { timeoutMs: 300 });
  aheadMs = -3_600_000;
  await expect(published).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
}, 30_000);

it("carries on over slow connections", async () => {
  const setting = await behindProxy();
  setting.proxy.slow(50);
  await setting.broker.publish(Array.from({ length: 200 }, (_, n) => toDue(n)));
  await eventually(() => setting.taken.size === 200, BACK_MS);
  expect(doubles(setting)).toEqual([]);
}, 60_000);

it("names in its spans the node that it is connected to, not the one that was away", async () => {
  const place = await ownPlace(testBacking());
  onTestFinished(() => place.remove());
  const url = new URL(place.amqpUrl.split(",")[0] ?? "");
  const away = new URL(url);
  away.port = "1";
  const broker = connect([away.href, url.href].join(","));
  await eventually(() => broker.ready);
  const handled: Promise<void> = new Promise((resolve) => {
    broker.start<Numbered>({
      mailbox: QUEUES.due,
      contracts: numberedContracts,
      prefetch: 1,
      handle: async () => {
        resolve();
        return { kind: "done", publish: [] };
      },
    });
  });
  takeSpans();
  await broker.publish([toDue(0)]);
  await handled;
  const spans: ReadableSpan[] = [];
  await eventually(() => spans.push(...takeSpans()) === 2);
  expect(spans.map(({ attributes }) => attributes["server.port"])).toEqual([Number(url.port), Number(url.port)]);
});
