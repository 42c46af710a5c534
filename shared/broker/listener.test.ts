import { EventEmitter } from "node:events";
import type { ChannelModel } from "amqplib";
import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createListener } from "./listener.ts";

function aModel() {
  const bound: string[] = [];
  const channels: EventEmitter[] = [];
  const createChannel = async () => {
    const channel = Object.assign(new EventEmitter(), {
      assertQueue: async () => ({ queue: `q${channels.length}` }),
      bindQueue: async (queue: string, exchange: string) => void bound.push(`${exchange} to ${queue}`),
      consume: async () => undefined,
    });
    channels.push(channel);
    return channel;
  };
  return { model: { createChannel } as unknown as ChannelModel, bound, channels };
}

function aListener() {
  const log = pino({ level: "silent" });
  return createListener({ exchange: "e", contracts: {}, onMessage: () => undefined, log, clock: systemClock });
}

it("hears of an exchange again that was deleted and declared again: its queue is bound at each look", async () => {
  const { model, bound } = aModel();
  const listener = aListener();
  await listener.attach(model);
  bound.length = 0;
  await listener.restore();
  expect(bound).toEqual(["e to q1"]);
});

it("binds nothing on a channel that is closed", async () => {
  const { model, bound, channels } = aModel();
  const listener = aListener();
  await listener.attach(model);
  channels[0]?.emit("close");
  bound.length = 0;
  await listener.restore();
  expect(bound).toEqual([]);
});
