// What no handler can take goes to the dead letters with its reason; it is never dropped and never loops.
import { expect, it } from "vitest";
import { replayOf } from "#shared/broker/dead-letter.ts";
import { EXCHANGES, QUEUES } from "#shared/broker/topology.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Numbered } from "#test/support/runtime.ts";
import { collectDeadLetters, numberedContracts, startRuntime, toDue } from "#test/support/runtime.ts";

it("tries a handler that throws twice more, then parks the message with the first lines of the stack", async () => {
  const { broker } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  let tries = 0;
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async () => {
      tries += 1;
      throw new TypeError("no such thing");
    },
  });

  await broker.publish([toDue(7, { content: Buffer.from("raw"), messageId: "m-7", headers: { custom: "1" } })]);

  const letter = await eventually(() => letters[0]);
  expect(letter.reason).toMatch(/^TypeError: no such thing\n\s+at /);
  expect(letter).toMatchObject({ queue: QUEUES.due, exchange: EXCHANGES.due, routingKey: "lane", type: "mail" });
  expect(letter.messageId).toBe("m-7");
  expect(letter.headers["custom"]).toBe("1");
  expect(letter.body.toString()).toBe('{"version":1,"n":7}\nraw');
  expect(tries).toBe(3);
  expect(await eventually(async () => (await broker.depth(QUEUES.due)) === 0)).toBe(true);
});

it.each([
  ["a version that is not known", { body: { version: 2, n: 1 } }, /^not a valid mail: version: /],
  ["a type that is not known", { type: "letter" }, /^no message of type "letter" is taken here$/],
  ["the name of a property of every object as its type", { type: "constructor" }, /^no message of type "constructor"/],
  ["a body that is no JSON", { raw: Buffer.from("{") }, /^not a valid mail: \.: /],
  ["an empty body", { raw: Buffer.alloc(0) }, /^not a valid mail: /],
])("parks %s, with the reason and nothing of the content in it", async (_, more, reason) => {
  const { broker } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async () => ({ kind: "done", publish: [] }),
  });
  await broker.publish([toDue(1, more)]);
  expect((await eventually(() => letters[0])).reason).toMatch(reason);
});

it("parks one culprit of a batch, and handles the others", async () => {
  const { broker } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  const handled: number[] = [];
  broker.start<Numbered>({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 20,
    batch: { max: 10, lingerMs: 100 },
    handleBatch: async (deliveries) => {
      if (deliveries.some(({ message }) => message.n === 3)) throw new Error("three is a crowd");
      handled.push(...deliveries.map(({ message }) => message.n));
      return deliveries.map(() => ({ kind: "done", publish: [] }));
    },
  });

  await broker.publish([1, 2, 3, 4, 5].map((n) => toDue(n)));

  expect((await eventually(() => letters[0])).reason).toMatch(/^Error: three is a crowd/);
  expect(await eventually(() => handled.length === 4)).toBe(true);
  expect(handled.toSorted((a, b) => a - b)).toEqual([1, 2, 4, 5]);
  expect(letters).toHaveLength(1);
});

it("parks what a handler says to park, with what it publishes beside", async () => {
  const { broker } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async ({ message }) => ({
      kind: "park",
      reason: "not for us",
      publish: [{ exchange: EXCHANGES.jobs, routingKey: "bulk", type: "mail", body: message }],
    }),
  });
  await broker.publish([toDue(1)]);
  expect((await eventually(() => letters[0])).reason).toBe("not for us");
  expect(await eventually(() => broker.depth(QUEUES.jobsBulk))).toBe(1);
});

it("parks the input of a handler whose output nobody can take, rather than trying for ever", async () => {
  const { broker } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async () => ({
      kind: "done",
      publish: [{ exchange: EXCHANGES.mails, routingKey: "nobody", type: "mail", body: {} }],
    }),
  });
  await broker.publish([toDue(1)]);
  expect((await eventually(() => letters[0], 30_000)).reason).toMatch(/no queue takes waypost.mails with key nobody/);
});

it("replays a dead letter as a new message to the queue it died in, marked as suspect and without the broker's headers", async () => {
  const { broker } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  const headers: Readonly<Record<string, unknown>>[] = [];
  let isMended = false;
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async (delivery) => {
      if (!isMended) throw new Error("not yet");
      headers.push(delivery.headers);
      return { kind: "done", publish: [] };
    },
  });
  await broker.publish([toDue(1, { content: Buffer.from("body"), record: { a: 1 } })]);
  const letter = await eventually(() => letters[0]);

  isMended = true;
  await broker.publish([replayOf(letter)]);

  const seen = await eventually(() => headers[0]);
  expect(seen).toEqual({ "waypost-suspect": true, "waypost-record": '{"a":1}', ...traceOf(seen) });
});

function traceOf(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return headers["traceparent"] === undefined ? {} : { traceparent: headers["traceparent"] };
}

it("takes a message whose headers are nested too deep to be read without them, and a dead letter too", async () => {
  const { broker, management, vhost } = await startRuntime();
  const { letters } = collectDeadLetters(broker);
  const taken: Readonly<Record<string, unknown>>[] = [];
  broker.start({
    mailbox: QUEUES.due,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async ({ message, headers, properties }) => {
      taken.push({ n: message.n, headers, messageId: properties.messageId });
      return { kind: "done", publish: [] };
    },
  });
  const deep = Array.from({ length: 5_000 }).reduce<object>((inner) => ({ inner }), {});
  const properties = { type: "mail", content_type: "application/json", message_id: "deep", headers: deep };
  for (const exchange of [EXCHANGES.due, EXCHANGES.dead]) {
    const payload = JSON.stringify({ version: 1, n: 1 });
    const message = { properties, routing_key: QUEUES.due, payload, payload_encoding: "string" };
    await management.call("POST", `/exchanges/${encodeURIComponent(vhost)}/${exchange}/publish`, message);
  }
  await broker.publish([toDue(2)]);
  expect(await eventually(() => taken.length === 2)).toBe(true);
  expect(taken[0]).toEqual({ n: 1, headers: {}, messageId: "deep" });
  expect(await eventually(() => letters[0])).toMatchObject({ queue: QUEUES.due, messageId: "deep", headers: {} });
});
