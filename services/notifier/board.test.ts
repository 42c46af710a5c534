import { describe, expect, it } from "vitest";
import { createLog } from "#shared/log.ts";
import { StoreUnavailable } from "#shared/errors.ts";
import type { EndpointState } from "#shared/store/endpoints.ts";
import { endpointKey } from "#shared/store/endpoints.ts";
import type { PostOutcome } from "./answer.ts";
import type { Board } from "./board.ts";
import { createBoard } from "./board.ts";
import type { Admission, Turn } from "./board-entry.ts";
import { MOST_IN_FLIGHT } from "./health.ts";

const DETAILS = { account: "acme", url: "https://user:secret@hooks.example.com/", headers: [], signingSecrets: [] };
const KEY = endpointKey(DETAILS.account, DETAILS.url);
const OK: PostOutcome = { kind: "delivered", status: 200 };
const GONE: PostOutcome = { kind: "gone", status: 410, reason: "410" };

/** A board over states in memory and a clock that moves when told. */
function start(mostWaiting = 100) {
  let nowMs = 1_000_000;
  const sleeping: { untilMs: number; wake(): void }[] = [];
  const states = new Map<string, EndpointState>();
  const store = { isAway: false };
  const looks: (readonly string[])[] = [];
  const looking: { until?: Promise<void> } = {};
  const clock = {
    nowMs: () => nowMs,
    now: () => new Date(nowMs),
    random: () => 0,
    uuid: () => "id",
    sleep: (ms: number) => new Promise<void>((wake) => sleeping.push({ untilMs: nowMs + ms, wake })),
  };
  const endpoints = {
    get: async (account: string, url: string) => states.get(endpointKey(account, url)),
    held: async (keys: readonly string[], now: Date) => {
      looks.push(keys);
      const found = keys.flatMap((key) => states.get(key) ?? []);
      const answer = found.filter(({ state, until }) => state === "off" || (until !== undefined && until > now));
      await looking.until;
      return answer;
    },
    save: async (saved: readonly EndpointState[]) => {
      if (store.isAway) throw new StoreUnavailable("away");
      for (const state of saved) states.set(state._id, state);
    },
    enable: async () => 0,
    forget: async () => undefined,
  };
  const log = createLog("test", "silent");
  const board: Board = createBoard({
    endpoints,
    clock,
    log,
    mostWaiting,
    mostOfAccount: { posts: 200, bytes: 1_000 },
    keptMs: 60_000,
  });
  return {
    looks,
    looking,
    board,
    states,
    store,
    advance: async (ms: number) => {
      nowMs += ms;
      for (const item of sleeping.splice(0)) {
        if (item.untilMs <= nowMs) item.wake();
        else sleeping.push(item);
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function turnOf(admission: Admission): Turn {
  if (admission.kind !== "turn") throw new Error(`parked: ${admission.reason}`);
  return admission.turn;
}

const turns = async (board: Board, count: number): Promise<Turn[]> =>
  (await Promise.all(Array.from({ length: count }, () => board.admit(DETAILS, 1)))).map(turnOf);

describe("the board of endpoints", () => {
  it("lets one in for each that ends once the bound is reached", async () => {
    const { board } = start();
    const [first] = await turns(board, MOST_IN_FLIGHT);
    const next = board.admit(DETAILS, 1);
    first?.end(OK);
    expect((await next).kind).toBe("turn");
  });

  it("lets an account in that often and no more, however many endpoints its jobs name", async () => {
    const { board } = start();
    const urls = Array.from({ length: 201 }, (_, n) => `https://job.example.com/${n}`);
    const [first, ...others] = await Promise.all(urls.map((url) => board.admit({ ...DETAILS, url }, 1)));
    expect(others.filter(({ kind }) => kind === "parked")).toHaveLength(1);
    expect((await board.admit({ ...DETAILS, account: "other" }, 1)).kind).toBe("turn");
    if (first !== undefined) turnOf(first).end(OK);
    expect((await board.admit(DETAILS, 1)).kind).toBe("turn");
  });

  it("lets an account have so many bytes and no more, in flight or waiting, and one batch however long", async () => {
    const { board } = start();
    const [first] = [turnOf(await board.admit(DETAILS, 2_000)), await turns(board, 0)];
    const reason = "the endpoint is at its bound";
    expect(await board.admit(DETAILS, 1)).toMatchObject({
      kind: "parked",
      reason: expect.not.stringContaining(reason) as string,
    });
    expect((await board.admit({ ...DETAILS, account: "other" }, 2_000)).kind).toBe("turn");
    first.end(OK);
    await turns(board, MOST_IN_FLIGHT);
    const waiting = board.admit(DETAILS, 900);
    expect((await board.admit({ ...DETAILS, url: "https://job.example.com/" }, 900)).kind).toBe("parked");
    expect(waiting).toBeInstanceOf(Promise);
  });

  it("parks what is beyond an account's bound for about as long as its POSTs take, so that a backlog does not circle", async () => {
    const { board, advance } = start();
    const urls = Array.from({ length: 200 }, (_, n) => `https://job.example.com/${n}`);
    const inFlight = await Promise.all(urls.map((url) => board.admit({ ...DETAILS, url }, 1)));
    const parkMany = () => Promise.all(Array.from({ length: 800 }, () => board.admit(DETAILS, 1)));
    await parkMany();
    await advance(10_000);
    for (const admission of inFlight) turnOf(admission).end({ kind: "failed", status: 0, reason: "no answer in time" });
    await Promise.all(urls.map((url) => board.admit({ ...DETAILS, url }, 1)));
    const last = (await parkMany()).at(-1);
    expect(last).toMatchObject({ kind: "parked", expectedMs: 20_000 });
  });

  it("parks those that wait for an endpoint that went silent", async () => {
    const { board, advance } = start();
    await turns(board, MOST_IN_FLIGHT);
    const next = board.admit(DETAILS, 1);
    await advance(1_100);
    expect(await next).toMatchObject({ kind: "parked", reason: "the endpoint is at its bound" });
  });

  it("parks at once what finds no place to wait", async () => {
    const { board } = start(4);
    await turns(board, MOST_IN_FLIGHT);
    const waiting = Array.from({ length: 3 }, () => board.admit(DETAILS, 1));
    expect((await board.admit(DETAILS, 1)).kind).toBe("parked");
    expect(waiting).toHaveLength(3);
  });

  it("shares that an endpoint is off, in words fit for others, and lets nobody in", async () => {
    const { board, states } = start();
    const [turn] = await turns(board, 1);
    turn?.end(GONE);
    await board.synchronize();
    expect(states.get(KEY)).toMatchObject({
      account: "acme",
      url: "https://hooks.example.com/",
      state: "off",
      lastAnswer: { status: 410, error: "410" },
    });
    expect(await board.admit(DETAILS, 1)).toMatchObject({ kind: "parked", reason: "the endpoint is off: 410" });
    expect(board.counts()).toEqual({ open: 0, slowed: 0, off: 1 });
  });

  it("says again that an endpoint is off when the store could not be told, and keeps it off meanwhile", async () => {
    const { board, states, store } = start();
    store.isAway = true;
    turnOf(await board.admit(DETAILS, 1)).end(GONE);
    await expect(board.synchronize()).rejects.toThrow("away");
    expect((await board.admit(DETAILS, 1)).kind).toBe("parked");
    store.isAway = false;
    await board.synchronize();
    expect(states.get(KEY)?.state).toBe("off");
    await board.synchronize();
    expect((await board.admit(DETAILS, 1)).kind).toBe("parked");
  });

  it("learns from the store what another replica switched off, and what an operator switched on", async () => {
    const { board, states } = start();
    const off: EndpointState = { _id: KEY, account: "acme", url: "", state: "off", since: new Date(0) };
    states.set(KEY, off);
    await board.synchronize();
    expect((await board.admit(DETAILS, 1)).kind).toBe("parked");
    states.set(KEY, { ...off, state: "open" });
    await board.synchronize();
    expect((await board.admit(DETAILS, 1)).kind).toBe("turn");
  });

  it("posts nothing to what another replica switched off before it was first asked for here", async () => {
    const { board, states } = start();
    states.set(KEY, { _id: KEY, account: "acme", url: "", state: "off", since: new Date(0) });
    expect((await board.admit(DETAILS, 1)).kind).toBe("parked");
  });

  it("asks for no more than is in hand, once a second, however many are off", async () => {
    const { board, states, looks, advance } = start();
    for (let n = 0; n < 1_000; n += 1) {
      const _id = `acme/${n}`;
      states.set(_id, { _id, account: "acme", url: "", state: "off", since: new Date(0) });
    }
    await turns(board, 3);
    await board.synchronize();
    expect(looks).toEqual([[KEY]]);
    await advance(1_000);
    await turns(board, 3);
    expect(looks).toEqual([[KEY], [KEY]]);
  });

  it("does not switch on what goes off while it is being looked at", async () => {
    const { board, looking, advance } = start();
    const [turn] = await turns(board, 1);
    await advance(1_000);
    const { promise, resolve } = Promise.withResolvers<void>();
    looking.until = promise;
    const asking = board.admit(DETAILS, 1);
    await advance(0);
    turn?.end(GONE);
    const saved = board.synchronize();
    await advance(0);
    resolve();
    await saved;
    expect((await asking).kind).toBe("parked");
  });

  it("shows the first answer after an operator switched it on, however soon that comes", async () => {
    const { board, states } = start();
    turnOf(await board.admit(DETAILS, 1)).end(GONE);
    await board.synchronize();
    states.delete(KEY);
    board.open(DETAILS.account);
    turnOf(await board.admit(DETAILS, 1)).end(OK);
    await board.synchronize();
    expect(states.get(KEY)).toMatchObject({ state: "open", lastAnswer: { status: 200 } });
  });

  it("learns that another replica was told to stop, however often the answers differ here", async () => {
    const { board, states, advance } = start();
    for (const status of [200, 202, 200, 202]) turnOf(await board.admit(DETAILS, 1)).end({ kind: "delivered", status });
    await board.synchronize();
    turnOf(await board.admit(DETAILS, 1)).end(OK);
    states.set(KEY, { _id: KEY, account: "acme", url: "", state: "off", since: new Date(0) });
    await advance(1_000);
    expect((await board.admit(DETAILS, 1)).kind).toBe("parked");
  });

  it("keeps the state of an account's endpoint, and that of a job's for a while", async () => {
    const { board, states } = start();
    const url = "https://job.example.com/7";
    turnOf(await board.admit(DETAILS, 1)).end(GONE);
    turnOf(await board.admit({ ...DETAILS, url, isJobs: true }, 1)).end(GONE);
    await board.synchronize();
    expect(states.get(KEY)?.expiresAt).toBeUndefined();
    expect(states.get(endpointKey("acme", url))?.expiresAt).toEqual(new Date(1_060_000));
  });

  it("waits as the endpoint asked another replica, and no longer", async () => {
    const { board, states, advance } = start();
    const until = new Date(1_060_000);
    const lastAnswer = { at: new Date(1_000_000), status: 429, error: "429: wait" };
    states.set(KEY, { _id: KEY, account: "acme", url: "", state: "slowed", since: new Date(0), until, lastAnswer });
    await board.synchronize();
    const reason = "the endpoint is slowed: 429: wait";
    expect(await board.admit(DETAILS, 1)).toMatchObject({
      kind: "parked",
      reason,
      expectedMs: expect.any(Number) as number,
    });
    await advance(59_000);
    await board.synchronize();
    expect((await board.admit(DETAILS, 1)).kind).toBe("parked");
    await advance(1_001);
    await board.synchronize();
    expect(await turns(board, 1)).toHaveLength(1);
  });

  it("lets one at a time to a slowed endpoint, all again after a success", async () => {
    const { board } = start();
    const [turn] = await turns(board, 1);
    turn?.end({ kind: "failed", status: 0, reason: "no answer" });
    const probe = turnOf(await board.admit(DETAILS, 1));
    expect((await board.admit(DETAILS, 1)).kind).toBe("parked");
    probe.end(OK);
    expect(await turns(board, MOST_IN_FLIGHT)).toHaveLength(MOST_IN_FLIGHT);
  });
});
