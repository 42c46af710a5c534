import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { encodeBody } from "./encoding.ts";
import { Packer } from "./packer.ts";
import type { Entry } from "./publish-job.ts";
import { PublishJob, UNSENT } from "./publish-job.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start() {
  const packs: Entry[] = [];
  const packer = new Packer((pack) => packs.push(pack));
  const partsOf = (pack: Entry | undefined): number[] =>
    (JSON.parse(pack?.body.toString().split("\n")[0] ?? "") as { parts: { messageId: string }[] }).parts.map(
      ({ messageId }) => Number(messageId),
    );
  return { packs, packer, sent: () => packs.map(partsOf) };
}

function entry(n: number, more: { bytes?: number; record?: string; isPacked?: false; job?: PublishJob } = {}): Entry {
  const message = {
    exchange: "public",
    routingKey: "",
    type: "event",
    body: { text: "x".repeat(more.bytes ?? 1) },
    messageId: String(n),
    ...(more.isPacked === false ? {} : { packedTo: { exchange: "e", routingKey: "k" } }),
  };
  const { bytes: body, contentType } = encodeBody(message);
  const job = more.job ?? new PublishJob(1, undefined);
  const none = { record: more.record, span: undefined, traceparent: undefined };
  return {
    message,
    body,
    contentType,
    job,
    ...none,
    suspect: false,
    ...UNSENT,
  };
}

it("sends what one call brings at once, when nothing was sent just before", () => {
  const { packer, packs, sent } = start();
  packer.add([entry(1), entry(2, { isPacked: false }), entry(3)]);
  expect(sent()).toEqual([[1, 3]]);
  expect(packs[0]?.message).toMatchObject({ exchange: "e", routingKey: "k", type: "pack" });
});

it("gathers what comes within the next moment, and is at rest when nothing came", () => {
  const { packer, sent } = start();
  packer.add([entry(1)]);
  packer.add([entry(2)]);
  packer.add([entry(3)]);
  expect(packer.size).toBe(2);
  vi.runAllTimers();
  packer.add([entry(4)]);
  expect(sent()).toEqual([[1], [2, 3], [4]]);
});

it("waits the longer the more there was, and never long", () => {
  const { packer, sent } = start();
  packer.add([entry(1)]);
  packer.add([2, 3, 4].map((n) => entry(n)));
  vi.advanceTimersByTime(5);
  packer.add(Array.from({ length: 20 }, (_, n) => entry(5 + n)));
  vi.advanceTimersByTime(14);
  expect(sent()).toHaveLength(2);
  vi.advanceTimersByTime(1);
  packer.add([entry(30)]);
  vi.advanceTimersByTime(14);
  expect(sent().map((parts) => parts.length)).toEqual([1, 3, 20]);
  vi.advanceTimersByTime(1);
  expect(sent()).toHaveLength(4);
});

it("sends what is gathered at once when it is told that nothing else is on its way", () => {
  const { packer, sent } = start();
  packer.add([entry(1)]);
  packer.flush();
  packer.add([entry(2)]);
  packer.flush();
  expect(sent()).toEqual([[1], [2]]);
});

it("sends a full pack without waiting: full by number or by bytes", () => {
  const { packer, packs, sent } = start();
  packer.add(Array.from({ length: 250 }, (_, n) => entry(n)));
  expect(sent().map((parts) => parts.length)).toEqual([100, 100]);
  vi.runAllTimers();
  packer.add([1, 2, 3].map((n) => entry(n, { bytes: 7_500 })));
  vi.runAllTimers();
  expect(sent().slice(3)).toEqual([[1, 2], [3]]);
  expect(packs.every(({ body }) => body.length < 20_000)).toBe(true);
});

it("holds no more long records than bodies, and any number of short ones", () => {
  const { packer, sent } = start();
  packer.add([1, 2, 3, 4].map((n) => entry(n, { record: "x".repeat(n < 3 ? 60_000 : 1_000) })));
  vi.runAllTimers();
  expect(sent()).toEqual([[1], [2], [3, 4]]);
});

it("leaves out what nobody waits for any more", () => {
  const { packer, sent } = start();
  const lost = new PublishJob(1, undefined);
  packer.add([entry(1)]);
  packer.add([entry(2, { job: lost }), entry(3)]);
  lost.abandon();
  vi.runAllTimers();
  expect(sent()).toEqual([[1], [3]]);
});

it("is confirmed and fails for everybody who waits for one of its parts", async () => {
  const { packer, packs } = start();
  const [first, second] = [new PublishJob(1, undefined), new PublishJob(2, undefined)];
  packer.add([entry(1, { job: first }), entry(2, { job: second })]);
  packs[0]?.job.confirmOne();
  await first.promise;
  expect(second.isOver).toBe(false);
  expect(packs[0]?.job.isOver).toBe(false);
  packs[0]?.job.fail(new Error("nacked"));
  await expect(second.promise).rejects.toThrow("nacked");
});

it("fails what is still gathered when it is closed", async () => {
  const { packer } = start();
  const job = new PublishJob(1, undefined);
  packer.add([entry(1)]);
  packer.add([entry(2, { job })]);
  packer.close(new Error("closed"));
  await expect(job.promise).rejects.toThrow("closed");
  expect(packer.size).toBe(0);
});
