import { EventEmitter } from "node:events";
import type { Channel, ChannelModel } from "amqplib";
import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import type { Member } from "./consumer-channels.ts";
import { ConsumerChannels } from "./consumer-channels.ts";

function aChannel(onClose: () => void): Channel {
  const channel: object = Object.assign(new EventEmitter(), {
    connection: {},
    consume: async () => ({ consumerTag: "tag" }),
    ack: () => undefined,
    nack: () => undefined,
    close: async () => onClose(),
  });
  return channel as Channel;
}

/** Opens channels at once; closed by the broker as with `code`. */
function aModel() {
  const createChannel = async (): Promise<Channel> => aChannel(() => undefined);
  const model = Object.assign(new EventEmitter(), { createChannel }) as object as ChannelModel & EventEmitter;
  const failWith = (code: number) => model.emit("error", Object.assign(new Error("closed"), { code }));
  return { model, failWith };
}

/** Opens channels when told: the first that was asked for, then the others from the latest to the earliest. */
function slowModel() {
  const asked: (() => void)[] = [];
  const open = new Set<Channel>();
  const createChannel = (): Promise<Channel> =>
    new Promise((resolve) => {
      asked.push(() => {
        const fake = aChannel(() => void open.delete(fake));
        open.add(fake);
        resolve(fake);
      });
    });
  const model = Object.assign(new EventEmitter(), { createChannel }) as object as ChannelModel;
  const answerAll = async (): Promise<void> => {
    for (let answer = asked.shift(); answer !== undefined; answer = asked.pop()) {
      answer();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { model, open, answerAll };
}

function aMember(queue = "q"): Member & { channels: Set<Channel>; asked: number | undefined } {
  const channels = new Set<Channel>();
  return {
    queue,
    channels,
    asked: undefined,
    askedMs(channel) {
      return channels.has(channel) ? this.asked : undefined;
    },
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

function reconnecting() {
  const slept: { ms: number; wake(): void }[] = [];
  let nowMs = 0;
  const sleep = (ms: number): Promise<void> => new Promise((wake) => slept.push({ ms, wake }));
  const channels = new ConsumerChannels(pino({ level: "silent" }), { ...systemClock, nowMs: () => nowMs, sleep });
  const lanes = ["a", "without-leader", "b"].map((queue) => aMember(queue));
  for (const lane of lanes) channels.join(lane, { shared: true });
  /** A connection that lasts for a minute, with who is not answered on it. */
  const connect = async (code: number, unanswered: (typeof lanes)[number][]): Promise<void> => {
    const { model, failWith } = aModel();
    await channels.attach(model);
    for (const [index, lane] of unanswered.entries()) lane.asked = nowMs + index;
    nowMs += 65_000;
    failWith(code);
    channels.detach();
    for (const lane of lanes) lane.asked = undefined;
  };
  const consuming = (): string[] => lanes.filter((lane) => lane.channels.size === 1).map((lane) => lane.queue);
  return { channels, lanes, connect, consuming, slept };
}

it("a lane whose queue the broker cannot serve is left alone, longer each time, and holds up no other", async () => {
  const { channels, lanes, connect, consuming, slept } = reconnecting();
  const [, broken, behind] = lanes;
  if (broken === undefined || behind === undefined) throw new Error("no lanes");
  await connect(541, [broken, behind]);
  await channels.attach(aModel().model);
  expect(consuming()).toEqual(["a", "b"]);
  expect(slept.map(({ ms }) => ms)).toEqual([60_000]);
});

it("an unanswered lane is tried again on a channel to itself, and then after twice the time", async () => {
  const { channels, lanes, connect, consuming, slept } = reconnecting();
  const [first, broken] = lanes;
  if (first === undefined || broken === undefined) throw new Error("no lanes");
  await connect(541, [broken]);
  await connect(541, []);
  await channels.attach(aModel().model);
  expect(consuming()).toEqual(["a", "without-leader", "b"]);
  expect([...broken.channels][0]).not.toBe([...first.channels][0]);
  channels.detach();
  await connect(541, [broken]);
  await channels.attach(aModel().model);
  expect(consuming()).toEqual(["a", "b"]);
  expect(slept.at(-1)?.ms).toBe(120_000);
});

it("a lane that is left alone consumes as soon as its queue was deleted and is back", async () => {
  const { channels, lanes, connect, consuming } = reconnecting();
  const [, broken] = lanes;
  if (broken === undefined) throw new Error("no lanes");
  await connect(541, [broken]);
  await channels.attach(aModel().model);
  expect(consuming()).toEqual(["a", "b"]);
  await channels.renew(broken);
  expect(consuming()).toEqual(["a", "without-leader", "b"]);
});

it("a connection that is lost otherwise leaves no lane alone", async () => {
  const { channels, lanes, connect, consuming, slept } = reconnecting();
  await connect(320, lanes);
  await channels.attach(aModel().model);
  expect(consuming()).toHaveLength(3);
  expect(slept).toEqual([]);
});
