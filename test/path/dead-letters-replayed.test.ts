// What no service can handle is collected with its reason, listed, and replayed as a new message.
import type { Options } from "amqplib";
import { connect } from "amqplib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { QUEUES } from "#shared/broker/topology.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import { createLog } from "#shared/log.ts";
import type { Store } from "#shared/store/connection.ts";
import { connectStore } from "#shared/store/connection.ts";
import type { StoredDeadLetter } from "#shared/store/dead-letters.ts";
import { createDeadLetters } from "#shared/store/dead-letters.ts";
import { createHeldJobs } from "#shared/store/held-jobs.ts";
import { createParkedMails } from "#shared/store/parked-mails.ts";
import { unknownJobs } from "#shared/store/unknown-jobs.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

let system: System;
let store: Store;
beforeAll(async () => {
  system = await startSystem({ services: ["control"] });
  store = connectStore(system.mongodbUri, createLog("test", "silent"));
});
afterAll(async () => {
  await store.close();
  await system.stop();
});

interface Letter {
  id: string;
  queue: string;
  reason: string;
  type: string;
  messageId?: string;
  account?: string;
  jobId?: string;
  mailId?: string;
  bytes: number;
}

async function lettersOf(account: string): Promise<Letter[]> {
  return (await system.control.get<{ items: Letter[] }>(`/v1/dead-letters?account=${account}`)).body.items;
}

async function letterOf(messageId: string): Promise<Letter> {
  return eventually(async () => {
    const { items } = (await system.control.get<{ items: Letter[] }>("/v1/dead-letters")).body;
    return items.find((letter) => letter.messageId === messageId);
  });
}

/** Publishes to a queue that nobody consumes here and has the broker dead-letter it from there. */
async function dieIn(queue: string, message: Options.Publish & { body: Buffer }): Promise<void> {
  const connection = await connect(system.amqpUrl);
  const channel = await connection.createConfirmChannel();
  const { body, ...properties } = message;
  channel.sendToQueue(queue, body, { persistent: true, ...properties });
  await channel.waitForConfirms();
  if (properties.expiration === undefined) channel.reject(await eventually(() => channel.get(queue)), false);
  await channel.close();
  await connection.close();
}

async function takenFrom(queue: string): Promise<{ body: Buffer; headers: object; type: unknown }> {
  const connection = await connect(system.amqpUrl);
  const channel = await connection.createChannel();
  const got = await eventually(() => channel.get(queue, { noAck: true }));
  await connection.close();
  return { body: got.content, headers: got.properties.headers ?? {}, type: got.properties.type };
}

it("lists a letter with where, why and whose, and replays it to where it died without the broker's headers", async () => {
  const body = Buffer.concat([
    Buffer.from(JSON.stringify({ mailId: "m1", head: { jobId: "j1", account: "letters" } })),
    Buffer.from("\nbytes behind it \xff", "latin1"),
  ]);
  await dieIn(QUEUES.attempts, { type: "mail", body });
  const [letter] = await eventually(async () => {
    const found = await lettersOf("letters");
    return found.length > 0 && found;
  });
  const whose = { account: "letters", jobId: "j1", mailId: "m1" };
  expect(letter).toMatchObject({
    queue: QUEUES.attempts,
    type: "mail",
    reason: "rejected",
    bytes: body.length,
    ...whose,
  });
  const replay = await system.control.post(`/v1/dead-letters/${letter?.id ?? ""}/replay`);
  expect(replay).toMatchObject({ status: 200, body: { replayed: true } });
  const taken = await takenFrom(QUEUES.attempts);
  expect(taken.body.equals(body)).toBe(true);
  expect(taken.type).toBe("mail");
  expect(Object.keys(taken.headers)).not.toContain("x-death");
  expect(await lettersOf("letters")).toEqual([]);
  expect((await system.control.post(`/v1/dead-letters/${letter?.id ?? ""}/replay`)).status).toBe(404);
});

it("takes what is no JSON at all", async () => {
  await dieIn(QUEUES.attempts, { type: "nonsense", body: Buffer.from([0, 255, 10, 123]) });
  const letter = await eventually(async () => {
    const { items } = (await system.control.get<{ items: Letter[] }>("/v1/dead-letters")).body;
    return items.find(({ type }) => type === "nonsense");
  });
  expect(letter).toMatchObject({ bytes: 4, queue: QUEUES.attempts });
});

it("does not replay a mail that has ended: 409", async () => {
  const account = "ended";
  await store.collection<{ _id: string }>("mails").insertOne({ _id: "m9" });
  const body = Buffer.from(JSON.stringify({ mailId: "m9", head: { jobId: "j9", account } }));
  await dieIn(QUEUES.attempts, { type: "mail", body });
  const [letter] = await eventually(async () => {
    const found = await lettersOf(account);
    return found.length > 0 && found;
  });
  const refused = await system.control.post<{ detail: string }>(`/v1/dead-letters/${letter?.id ?? ""}/replay`);
  expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining("has ended") as string } });
});

it.each([
  ["a name that no document has", { "a\0b": "1", $where: "2", "a.b": "3" }],
  ["tables in tables", { deep: Array.from({ length: 300 }).reduce<object>((inner) => ({ inner }), {}) }],
  [
    "long names that are not ASCII",
    Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${"名".repeat(40)}${n}`, n])),
  ],
])("keeps a letter whose headers have %s, and replays it", async (_, headers) => {
  const messageId = uniqueLabel("m");
  await dieIn(QUEUES.submissions, { body: Buffer.from("{}"), messageId, headers });
  const { id } = await letterOf(messageId);
  const stored = await createDeadLetters(store).find(id);
  expect(stored?.headers).toMatchObject(headers);
  expect((await system.control.post(`/v1/dead-letters/${id}/replay`)).status).toBe(200);
  expect((await takenFrom(QUEUES.submissions)).body.toString()).toBe("{}");
});

it("believes nothing that an application says of where its expired message died, nor whose it is", async () => {
  const messageId = uniqueLabel("m");
  const properties = { userId: "victim", type: "job" };
  const headers = {
    "waypost-dead-queue": QUEUES.jobsBulk,
    "waypost-dead-reason": "forged",
    "waypost-dead-properties": JSON.stringify({ exchange: "", routingKey: "", properties, headers: {} }),
    "x-death": [],
    "x-first-death-queue": QUEUES.jobsBulk,
  };
  const body = Buffer.from(JSON.stringify({ head: { jobId: "j8", account: "victim" } }));
  await dieIn(QUEUES.submissions, { type: "job", body, messageId, headers, expiration: "1" });
  const letter = await letterOf(messageId);
  expect(letter.queue).toBe(QUEUES.submissions);
  expect(letter.reason).not.toBe("forged");
  expect(letter.account).toBeUndefined();
  expect((await system.control.post(`/v1/dead-letters/${letter.id}/replay`)).status).toBe(200);
  const taken = await takenFrom(QUEUES.submissions);
  expect(
    Object.keys(taken.headers).filter((name) => /^(waypost-dead|waypost-replayed|x-death|x-first)/.test(name)),
  ).toEqual([]);
});

it("takes no pack apart that an application made and had expire", async () => {
  const messageId = uniqueLabel("m");
  const part = { bytes: 2, type: "event", contentType: "", messageId: `${messageId}-part`, headers: {} };
  const body = Buffer.from(`${JSON.stringify({ version: 1, parts: [part] })}\n{}`);
  const headers = { "x-death": [], "x-first-death-queue": QUEUES.events };
  await dieIn(QUEUES.submissions, { type: "pack", body, messageId, headers, expiration: "1" });
  expect(await letterOf(messageId)).toMatchObject({ queue: QUEUES.submissions, type: "pack" });
});

it("replays a letter that was stored with its properties and headers as documents", async () => {
  const letters = createDeadLetters(store);
  await letters.add(aLetter("old", { queue: QUEUES.attempts }), Buffer.from("{}"));
  const former = { properties: { type: "mail" }, headers: { "waypost-record": "{}" } };
  await store.collection<StoredDeadLetter>("dead-letters").updateOne({ _id: "old" }, { $set: former });
  expect(await letters.find("old")).toMatchObject(former);
  expect((await system.control.post("/v1/dead-letters/old/replay")).status).toBe(200);
  expect((await takenFrom(QUEUES.attempts)).headers).toMatchObject({ "waypost-record": "{}" });
});

function aLetter(_id: string, more: Partial<StoredDeadLetter>): StoredDeadLetter {
  const place = { queue: QUEUES.jobsBulk, exchange: "", routingKey: "", type: "job" };
  const expiresAt = new Date(Date.now() + 3_600_000);
  return { _id, at: new Date(), reason: "why", ...place, properties: {}, headers: {}, bytes: 2, expiresAt, ...more };
}

it("lists a letter that has died again before its replay was written down", async () => {
  const letters = createDeadLetters(store);
  const at = new Date(Date.now() - 1_000);
  await letters.add(aLetter("again", { at }), Buffer.alloc(0));
  await letters.add(aLetter("again", {}), Buffer.alloc(0));
  await letters.markReplayed({ _id: "again", at }, new Date());
  const now = await letters.find("again");
  expect(now?.replayedAt).toBeUndefined();
  await letters.markReplayed({ _id: "again", at: now?.at ?? at }, new Date());
  expect((await letters.find("again"))?.replayedAt).toBeInstanceOf(Date);
});

it("knows whether a job of an account is parked or lost, until it is replayed or recorded", async () => {
  const [held, letters] = [createHeldJobs(store), createDeadLetters(store)];
  const parked = aLetter("parked", { account: "parker", jobId: "parked job" });
  await letters.add(parked, Buffer.alloc(0));
  await letters.add(aLetter("no job", { account: "none", jobId: "x", queue: QUEUES.submissions }), Buffer.alloc(0));
  const lost = { _id: "lost job", job: { head: { account: "loser" } } };
  await store.collection<typeof lost>("waiting-jobs").insertOne(lost);
  const areOf = (): Promise<boolean[]> => Promise.all(["parker", "loser", "none"].map((name) => held.areOf(name)));
  expect(await areOf()).toEqual([true, true, false]);
  await letters.markReplayed(parked, new Date());
  await store.collection<{ _id: string }>("mails").insertOne({ _id: mailIdOf("lost job", 0) });
  expect(await areOf()).toEqual([false, false, false]);
});

it("has those jobs ended whose deadline is over, the oldest first, and none that an application named", async () => {
  const now = new Date();
  const ago = (ms: number): Date => new Date(now.getTime() - ms);
  const letters = createDeadLetters(store);
  const given: [string, Partial<StoredDeadLetter>][] = [
    ["late", { deadline: ago(1_000), queue: QUEUES.jobsInteractive }],
    ["early", { deadline: ago(9_000) }],
    ["recorded", { deadline: ago(9_500) }],
    ["submitted", { deadline: ago(9_000), queue: QUEUES.submissions }],
    ["without a deadline", {}],
  ];
  for (const [id, more] of given) await letters.add(aLetter(id, { jobId: id, ...more }), Buffer.alloc(0));
  const far = Array.from({ length: 600 }, (_, n) => aLetter(`far ${n}`, { jobId: `far ${n}`, deadline: ago(-9_000) }));
  await store.collection<StoredDeadLetter>("dead-letters").insertMany(far);
  await store.collection<{ _id: string }>("mails").insertOne({ _id: mailIdOf("recorded", 0) });
  const parked = createParkedMails(store);
  const jobs = await Array.fromAsync(parked.jobs(now));
  expect(jobs.map(({ id }) => id)).toEqual(["without a deadline", "early", "late"]);
  expect(await Array.fromAsync(parked.jobs(ago(-10_000)))).toHaveLength(603);
  expect(await unknownJobs(store, ["early", "submitted"])).toEqual(new Set(["submitted"]));
  await letters.add(aLetter("mail", { mailId: "m7", queue: QUEUES.due, type: "mail" }), Buffer.alloc(0));
  await letters.add(aLetter("no mail", { mailId: "m8", queue: QUEUES.submissions, type: "mail" }), Buffer.alloc(0));
  await letters.add(aLetter("its point", { mailId: "told", queue: QUEUES.events, type: "event" }), Buffer.alloc(0));
  expect(await parked.reasonsOf(["m7", "m8", "told"])).toEqual(new Map([["m7", "why"]]));
});
