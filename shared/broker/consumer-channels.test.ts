import { EventEmitter } from "node:events";
import type { Channel, ChannelModel } from "amqplib";
import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import type { Member } from "./consumer-channels.ts";
import { ConsumerChannels } from "./consumer-channels.ts";

/** Opens channels when told: the first that was asked for, then the others from the latest to the earliest. */
function slowModel() {
  const asked: (() => void)[] = [];
  const open = new Set<Channel>();
  const createChannel = (): Promise<Channel> =>
    new Promise((resolve) => {
      asked.push(() => {
        const channel: object = Object.assign(new EventEmitter(), {
          connection: {},
          consume: async () => ({ consumerTag: "tag" }),
          ack: () => undefined,
          nack: () => undefined,
          close: async () => void open.delete(fake),
        });
        const fake = channel as Channel;
        open.add(fake);
        resolve(fake);
      });
    });
  const model = { createChannel } as Partial<ChannelModel> as ChannelModel;
  const answerAll = async (): Promise<void> => {
    for (let answer = asked.shift(); answer !== undefined; answer = asked.pop()) {
      answer();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { model, open, answerAll };
}

function aMember(): Member & { channels: Set<Channel> } {
  const channels = new Set<Channel>();
  return {
    channels,
    attach: (channel) => void channels.add(channel),
    move: async (channel) => void channels.add(channel),
    lose: (channel) => void channels.delete(channel),
    holds: () => false,
  };
}

it("a mailbox that joins while channels are opened after a reconnect gets one channel, as all others", async () => {
  const { model, open, answerAll } = slowModel();
  const channels = new ConsumerChannels(pino({ level: "silent" }), systemClock);
  const [first, second, joining] = [aMember(), aMember(), aMember()];
  channels.join(first, { shared: false });
  channels.join(second, { shared: false });
  const attached = channels.attach(model);
  channels.join(joining, { shared: false });
  await answerAll();
  await attached;
  expect([first, second, joining].map((member) => member.channels.size)).toEqual([1, 1, 1]);
  expect(open.size).toBe(3);
});
