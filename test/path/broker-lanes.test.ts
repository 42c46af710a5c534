// Lanes: begun paused, resumed with some concurrency, paused again with what was not begun handed back.
import { expect, it } from "vitest";
import type { Verdict } from "#shared/broker/actor.ts";
import { EXCHANGES, laneMailboxes } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Numbered } from "#test/support/runtime.ts";
import { numberedContracts, startRuntime } from "#test/support/runtime.ts";

const done: Verdict = { kind: "done", publish: [] };
const { interactive } = laneMailboxes("delivery.relay.acme.example.com");
const mail = (n: number, content?: Buffer) => ({
  exchange: EXCHANGES.mails,
  routingKey: interactive.name,
  type: "mail",
  body: { version: 1, n },
  content,
});

it("takes nothing before it is resumed, then its prefetch beside what is still in hand, and hands back the rest", async () => {
  const { broker } = await startRuntime();
  await broker.declare([interactive]);
  await broker.publish([1, 2, 3, 4, 5, 6, 7, 8].map((n) => mail(n)));
  const begun: (() => void)[] = [];
  const lane = broker.startPaused<Numbered>(
    {
      mailbox: interactive.name,
      contracts: numberedContracts,
      prefetch: 10,
      handle: () => new Promise((resolve) => begun.push(() => resolve(done))),
    },
    interactive,
  );
  expect(await broker.depth(interactive.name)).toBe(8);

  await lane.resume(2);
  await eventually(() => begun.length === 2);
  expect(await eventually(async () => (await broker.depth(interactive.name)) === 6)).toBe(true);

  await lane.resume(4);
  await eventually(() => begun.length === 6);
  expect(lane.inHand).toBe(6);

  await lane.pause();
  expect(await eventually(async () => (await broker.depth(interactive.name)) === 2)).toBe(true);
  const cancelled = lane.cancel();
  for (const finish of begun) finish();
  await cancelled;
  expect(lane.inHand).toBe(0);
  expect(await broker.depth(interactive.name)).toBe(2);
});

it("takes as many again beside what is in hand when it is refilled, and settles all of them", async () => {
  const { broker } = await startRuntime();
  await broker.declare([interactive]);
  await broker.publish([1, 2, 3, 4, 5].map((n) => mail(n)));
  const begun: (() => void)[] = [];
  const lane = broker.startPaused<Numbered>(
    {
      mailbox: interactive.name,
      contracts: numberedContracts,
      prefetch: 2,
      handle: () => new Promise((resolve) => begun.push(() => resolve(done))),
    },
    interactive,
  );
  await lane.refill();
  expect(lane.inHand).toBe(0);
  await lane.resume(2);
  await eventually(() => begun.length === 2);
  await lane.refill();
  await eventually(() => begun.length === 4);
  expect(await broker.depth(interactive.name)).toBe(1);
  for (const finish of begun.splice(0, 2)) finish();
  await eventually(() => lane.inHand === 2);
  expect(await broker.depth(interactive.name)).toBe(1);
  for (const finish of begun.splice(0)) finish();
  await eventually(() => begun.length === 1);
  for (const finish of begun) finish();
  await lane.cancel();
  expect(await broker.depth(interactive.name)).toBe(0);
});

it("holds no more than the bytes allowed over all lanes, and takes everything in the end", async () => {
  const { broker } = await startRuntime({ mostBytesHeld: 200_000 });
  await broker.declare([interactive]);
  const content = Buffer.alloc(60_000, 1);
  await broker.publish(Array.from({ length: 30 }, (_, n) => mail(n, content)));
  let most = 0;
  let inHand = 0;
  const taken = new Set<number>();
  const lane = broker.startPaused<Numbered>(
    {
      mailbox: interactive.name,
      contracts: numberedContracts,
      prefetch: 30,
      handle: async ({ message }) => {
        inHand += 1;
        most = Math.max(most, inHand);
        await new Promise((resolve) => setTimeout(resolve, 5));
        inHand -= 1;
        taken.add(message.n);
        return done;
      },
    },
    interactive,
  );
  await lane.resume(30);
  await eventually(() => taken.size === 30);
  expect(most).toBeLessThanOrEqual(5);
});
