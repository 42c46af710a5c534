// Whatever becomes of a message, its span ends: one that does not is never exported.
import { EventEmitter } from "node:events";
import { SpanStatusCode } from "@opentelemetry/api";
import type { ChannelModel } from "amqplib";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createMessagingTelemetry } from "#shared/telemetry/messaging.ts";
import { takeSpans } from "#test/support/recorded-spans.ts";
import type { Declarer } from "./declarer.ts";
import { Publisher } from "./publisher.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
  takeSpans();
});
afterEach(() => void vi.useRealTimers());

const MESSAGE = { exchange: "e", routingKey: "k", type: "m", body: {} };

type Confirm = (error: Error | null) => void;

/** Waits as the faked timers do. */
const clock = { ...systemClock, sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) };

/** Keeps what it is given, unconfirmed. */
class SilentChannel extends EventEmitter {
  confirms: Confirm[] = [];
  refusals: (() => void)[] = [];
  last: object = {};

  /** As amqplib's: what is unconfirmed fails with the channel. */
  constructor() {
    super();
    // Attached again, it stands for another one.
    this.setMaxListeners(Infinity);
    this.on("close", () => this.refuseAll());
  }

  refuseAll(): void {
    for (const refuse of this.refusals.splice(0)) refuse();
  }

  sendMessage(fields: object, properties: object, content: Buffer): void {
    this.last = { fields, properties, content };
  }

  pushConfirmCallback(confirm: Confirm): void {
    const sent = this.last;
    this.refusals.push(() => confirm(new Error("message nacked")));
    this.confirms.push(() => {
      this.emit("return", sent);
      confirm(null);
    });
  }
}

function setUp() {
  const declarer = { restoreTopology: () => Promise.resolve() } as unknown as Declarer;
  const servers = { publishing: () => ({}), consuming: () => ({}) };
  const telemetry = createMessagingTelemetry({ clock, servers });
  const publisher = new Publisher({ log: pino({ level: "silent" }), clock, declarer, telemetry });
  const channel = new SilentChannel();
  const attach = (): Promise<void> => {
    publisher.topologyDeclared();
    return publisher.attach({ createConfirmChannel: async () => channel } as unknown as ChannelModel);
  };
  return { publisher, channel, attach };
}

/** The error types of the spans that ended. */
const failures = (): unknown[] =>
  takeSpans()
    .filter(({ status }) => status.code === SpanStatusCode.ERROR)
    .map(({ attributes }) => attributes["error.type"]);

it("ends the span of a message that nobody waits for any longer while the broker is away", async () => {
  const { publisher } = setUp();
  const published = publisher.publish([MESSAGE], { deadlineMs: systemClock.nowMs() + 50 }).promise;
  const refused = published.catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(200);
  expect(await refused).toMatchObject({ code: "BROKER_UNAVAILABLE" });
  expect(failures()).toEqual(["abandoned"]);
  publisher.close();
});

it("ends the spans of what waits, and of what is not confirmed, when the service stops", async () => {
  const { publisher, attach } = setUp();
  await attach();
  const sent = publisher.publish([MESSAGE], {}).promise;
  publisher.detach();
  const waiting = publisher.publish([MESSAGE], {}).promise;
  publisher.close();
  expect(failures()).toEqual(["BrokerUnavailable", "BrokerUnavailable"]);
  await expect(sent).rejects.toThrow("stopping");
  await expect(waiting).rejects.toThrow("stopping");
});

it("ends the span of a message that comes back as unroutable when nobody waits for it any longer", async () => {
  const { publisher, channel, attach } = setUp();
  await attach();
  const job = publisher.publish([MESSAGE], {});
  job.abandon();
  for (const confirm of channel.confirms) confirm(null);
  expect(failures()).toEqual(["abandoned"]);
  publisher.close();
});

const reply = { ...MESSAGE, exchange: "", transient: true };
const point = { ...MESSAGE, mayBeUnrouted: true };

async function refuse(channel: SilentChannel, times: number): Promise<void> {
  for (let tries = 0; tries < times; tries += 1) {
    channel.refuseAll();
    await vi.advanceTimersByTimeAsync(1_000);
  }
}

async function lose(channel: SilentChannel, attach: () => Promise<void>, times: number): Promise<void> {
  for (let lost = 0; lost < times; lost += 1) {
    channel.emit("close");
    await attach();
    await vi.advanceTimersByTimeAsync(100);
  }
}

it.each([
  ["reply", reply],
  ["tracking point", point],
])("waits for no %s that a queue of somebody else's refuses", async (_, message) => {
  const { publisher, channel, attach } = setUp();
  await attach();
  const refused = publisher.publish([message], {}).promise;
  await refuse(channel, 3);
  await refused;
  expect(failures()).toEqual(["refused"]);
  publisher.close();
});

it("gives our own queue by itself what a queue of somebody else's refuses with it", async () => {
  const { publisher, channel, attach } = setUp();
  await attach();
  const published = publisher.publish([{ ...point, ownQueue: "router.bounces" }], {}).promise;
  await refuse(channel, 3);
  expect(channel.last).toMatchObject({ fields: { exchange: "", routingKey: "router.bounces" } });
  await refuse(channel, 3);
  expect(channel.confirms).toHaveLength(7);
  publisher.close();
  await expect(published).rejects.toThrow("stopping");
});

it("counts no lost channel as a refusal", async () => {
  const { publisher, channel, attach } = setUp();
  await attach();
  const published = publisher.publish([point], {}).promise;
  await lose(channel, attach, 2);
  await refuse(channel, 2);
  expect(channel.confirms).toHaveLength(5);
  publisher.close();
  await expect(published).rejects.toThrow("stopping");
});

it("waits for no reply that nobody confirms", async () => {
  const { publisher, attach } = setUp();
  await attach();
  const unconfirmed = publisher.publish([reply], {}).promise;
  await vi.advanceTimersByTimeAsync(11_000);
  await unconfirmed;
  expect(failures()).toEqual(["refused"]);
  publisher.close();
});

it("lets a reply go that is lost with its channel again and again, which it may be what breaks", async () => {
  const { publisher, channel, attach } = setUp();
  await attach();
  const lost = publisher.publish([reply], {}).promise;
  await lose(channel, attach, 3);
  await lost;
  expect(failures()).toEqual(["refused"]);
  publisher.close();
});

it("publishes a tracking point again that was lost with its channel, as often as that happens", async () => {
  const { publisher, channel, attach } = setUp();
  await attach();
  const published = publisher.publish([point], {}).promise;
  await lose(channel, attach, 5);
  expect(failures()).toEqual([]);
  publisher.close();
  await expect(published).rejects.toThrow("stopping");
});

it("publishes a message again that was unconfirmed for long and then finds its queue deleted", async () => {
  const { publisher, channel, attach } = setUp();
  await attach();
  const published = publisher.publish([MESSAGE], {}).promise;
  for (let tries = 0; tries < 10; tries += 1) {
    channel.refuseAll();
    await vi.advanceTimersByTimeAsync(5_000);
  }
  channel.confirms[10]?.(null);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(channel.confirms).toHaveLength(12);
  publisher.close();
  await expect(published).rejects.toThrow("stopping");
});

it("opens its channel again more and more slowly while the broker closes it for what is published: copies are few", async () => {
  const { publisher } = setUp();
  let opened = 0;
  const refusing = async () => {
    opened += 1;
    const channel = new SilentChannel();
    setTimeout(() => channel.emit("close"), 1);
    return channel;
  };
  publisher.topologyDeclared();
  await publisher.attach({ createConfirmChannel: refusing } as unknown as ChannelModel);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(opened).toBeGreaterThan(5);
  expect(opened).toBeLessThan(20);
  publisher.close();
});
