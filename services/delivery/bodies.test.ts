import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { HeldBody } from "./bodies.ts";
import { Bodies } from "./bodies.ts";

const MIB = 1_048_576;
const [LARGE, MIDDLE] = [20 * MIB, 100_000];
const PATIENCE_MS = 1_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  let ids = 0;
  const fetched: string[] = [];
  const bodies = new Bodies(async (id) => {
    fetched.push(id);
    return Buffer.from(id);
  });
  const hold = async (owner: object, bytes: number, id = `body ${(ids += 1)}`): Promise<HeldBody | undefined> => {
    const held = bodies.hold({ id, bytes }, owner, PATIENCE_MS);
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    const answer = await held;
    return answer === "put-back" ? undefined : answer;
  };
  return { hold, fetched };
}

it("a replica holds 80 MiB of large bodies, however many connections its relays have", async () => {
  const { hold } = setUp();
  const held = await Promise.all(Array.from({ length: 20 }, () => hold({}, LARGE)));
  expect(held.filter((body) => body !== undefined)).toHaveLength(4);
});

it("a server that takes minutes has half of the room and leaves the rest to others, and all of it for smaller ones", async () => {
  const { hold } = setUp();
  const [slow, other] = [{}, {}];
  const first = await hold(slow, LARGE);
  expect(await hold(slow, LARGE)).toBeDefined();
  expect(await hold(slow, LARGE)).toBeUndefined();
  expect(await hold(other, LARGE)).toBeDefined();
  expect(await hold(other, LARGE)).toBeUndefined();
  expect(await hold(slow, MIDDLE)).toBeDefined();
  first?.leave();
  expect(await hold({}, LARGE)).toBeDefined();
  expect(await hold({}, LARGE)).toBeDefined();
  expect(await hold({}, LARGE)).toBeUndefined();
});

it("who waits for room gets it when another is done, first come first served", async () => {
  const { hold } = setUp();
  const held = await Promise.all(Array.from({ length: 4 }, () => hold({}, LARGE)));
  const log: string[] = [];
  const waiting = ["first", "second"].map(async (name) => {
    if ((await hold({}, LARGE)) !== undefined) log.push(name);
  });
  held[0]?.leave();
  await Promise.all(waiting);
  expect(log).toEqual(["first"]);
});

it("the mails of one job share a body, which goes with the last of them", async () => {
  const { hold, fetched } = setUp();
  const relay = {};
  const held = await Promise.all(Array.from({ length: 10 }, () => hold(relay, LARGE, "shared")));
  const read = await Promise.all(held.map(async (body) => String(await body?.read())));
  expect(read).toEqual(held.map(() => "shared"));
  expect(fetched).toEqual(["shared"]);
  const others = await Promise.all(Array.from({ length: 3 }, () => hold({}, LARGE)));
  expect(others.every((body) => body !== undefined)).toBe(true);
  for (const body of held.slice(1)) body?.leave();
  expect(await hold({}, LARGE)).toBeUndefined();
  held[0]?.leave();
  expect(await hold({}, LARGE)).toBeDefined();
});

it("a body is charged to who has it in hand, not to who had it first", async () => {
  const { hold } = setUp();
  const [quick, slow] = [{}, {}];
  const [first] = await Promise.all([hold(quick, LARGE, "shared"), hold(slow, LARGE, "shared")]);
  first?.leave();
  await Promise.all([hold({}, LARGE), hold({}, LARGE)]);
  expect(await hold(slow, LARGE)).toBeUndefined();
  expect(await hold(quick, LARGE)).toBeDefined();
});

it("is asked for again where the database was away", async () => {
  const fetch = vi.fn<() => Promise<Buffer>>(async () => Buffer.from("there"));
  fetch.mockRejectedValueOnce(new Error("away"));
  const held = await new Bodies(fetch).hold({ id: "1", bytes: MIDDLE }, {}, PATIENCE_MS);
  if (held === "put-back") throw new Error("there was room");
  await expect(held.read()).rejects.toThrow("away");
  expect(String(await held.read())).toBe("there");
});
