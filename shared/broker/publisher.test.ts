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
  #sent: object = {};

  sendMessage(fields: object, properties: object, content: Buffer): void {
    this.#sent = { fields, properties, content };
  }

  pushConfirmCallback(confirm: Confirm): void {
    const sent = this.#sent;
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

it("waits for no reply that its queue refuses, or that nobody confirms", async () => {
  const { publisher, channel, attach } = setUp();
  await attach();
  const reply = { ...MESSAGE, exchange: "", transient: true };
  const refused = publisher.publish([reply], {}).promise;
  for (let tries = 0; tries < 3; tries += 1) {
    for (const refuse of channel.refusals.splice(0)) refuse();
    await vi.advanceTimersByTimeAsync(100);
  }
  await refused;
  const unconfirmed = publisher.publish([reply], {}).promise;
  await vi.advanceTimersByTimeAsync(11_000);
  await unconfirmed;
  expect(failures()).toEqual(["refused", "refused"]);
  publisher.close();
});
