// What no service can handle is collected with its reason, listed, and replayed as a new message.
import { connect } from "amqplib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { QUEUES } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

let system: System;
beforeAll(async () => {
  system = await startSystem({ services: ["control"] });
});
afterAll(() => system.stop());

interface Letter {
  id: string;
  queue: string;
  reason: string;
  type: string;
  account?: string;
  jobId?: string;
  mailId?: string;
  bytes: number;
}

async function lettersOf(account: string): Promise<Letter[]> {
  return (await system.control.get<{ items: Letter[] }>(`/v1/dead-letters?account=${account}`)).body.items;
}

/** Publishes to a queue that nobody consumes here and has the broker dead-letter it from there. */
async function dieIn(queue: string, message: { type: string; body: Buffer }): Promise<void> {
  const connection = await connect(system.amqpUrl);
  const channel = await connection.createConfirmChannel();
  channel.sendToQueue(queue, message.body, { type: message.type, persistent: true });
  await channel.waitForConfirms();
  const got = await eventually(() => channel.get(queue));
  channel.reject(got, false);
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
  const { connectStore } = await import("#shared/store/connection.ts");
  const { createLog } = await import("#shared/log.ts");
  const store = connectStore(system.mongodbUri, createLog("test", "silent"));
  await store.collection<{ _id: string }>("mails").insertOne({ _id: "m9" });
  await store.close();
  const body = Buffer.from(JSON.stringify({ mailId: "m9", head: { jobId: "j9", account } }));
  await dieIn(QUEUES.attempts, { type: "mail", body });
  const [letter] = await eventually(async () => {
    const found = await lettersOf(account);
    return found.length > 0 && found;
  });
  const refused = await system.control.post<{ detail: string }>(`/v1/dead-letters/${letter?.id ?? ""}/replay`);
  expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining("has ended") as string } });
});
