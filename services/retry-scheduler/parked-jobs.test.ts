import { pino } from "pino";
import { expect, it } from "vitest";
import type { Outgoing } from "#shared/broker/actor.ts";
import { eventMessageSchema } from "#shared/contracts/event.ts";
import { mailIdOf } from "#shared/contracts/ids.ts";
import { aJob, DEADLINE } from "#test/support/build-mail.ts";
import { endParkedJobs } from "./parked-jobs.ts";

const job = aJob({ addresses: ["A <a@example.net>", "b@example.net"] });
const after = new Date(Date.parse(DEADLINE) + 1);
const before = new Date(Date.parse(DEADLINE) - 1);

async function whenSwept(given: { now: Date; body?: Buffer }): Promise<Outgoing[][]> {
  const published: Outgoing[][] = [];
  const body = given.body ?? Buffer.from(`${JSON.stringify(job)}\nhello`);
  await endParkedJobs(
    {
      broker: { publish: (messages) => Promise.resolve(void published.push([...messages])) },
      parked: {
        async *jobs() {
          yield { id: "letter", jobId: job.head.jobId, reason: "TypeError" };
        },
        bodyOf: () => Promise.resolve(body),
      },
      log: pino({ level: "silent" }),
    },
    given.now,
  );
  return published;
}

it("the mails of a parked job end at its deadline as PROCESSING_FAILED", async () => {
  const events = (await whenSwept({ now: after }))
    .flat()
    .map(({ body }) => eventMessageSchema.parse(body).notification.meta);
  expect(events.map(({ mail }) => mail.email)).toEqual(["b@example.net", "A <a@example.net>"]);
  expect(new Set(events.map(({ event }) => event.subType))).toEqual(new Set(["PROCESSING_FAILED"]));
  expect(events[0]?.event.description).toContain("TypeError");
});

it.each([
  ["before its deadline", { now: before }],
  ["that cannot be read", { now: after, body: Buffer.from("{}") }],
])("a parked job %s is left", async (_, given) => {
  expect(await whenSwept(given)).toEqual([]);
});

it("a parked job of many addresses ends in pieces, its first mail last, so that a job half ended is looked at again", async () => {
  const addresses = Array.from({ length: 1_234 }, (_, index) => `to-${index}@example.net`);
  const pieces = await whenSwept({ now: after, body: Buffer.from(JSON.stringify(aJob({ addresses }))) });
  expect(Math.max(...pieces.map((piece) => piece.length))).toBe(100);
  const ended = pieces.flat().map(({ body }) => eventMessageSchema.parse(body).notification.meta.mail);
  expect(ended.map(({ email }) => email).toSorted()).toEqual(addresses.toSorted());
  expect(ended.find(({ email }) => email === "to-1233@example.net")?.id).toBe(mailIdOf(job.head.jobId, 1_233));
  expect(pieces.at(-1)).toHaveLength(1);
  expect(ended.at(-1)?.email).toBe("to-0@example.net");
});

it("a parked job whose ends cannot be published holds up none behind it", async () => {
  const ended: string[] = [];
  const count = await endParkedJobs(
    {
      broker: {
        publish: (messages) => {
          if (ended.push(String(messages[0]?.messageId)) === 1) throw new RangeError("too large");
          return Promise.resolve();
        },
      },
      parked: {
        async *jobs() {
          for (const id of ["first", "second"]) yield { id, jobId: id, reason: "TypeError" };
        },
        bodyOf: () => Promise.resolve(Buffer.from(JSON.stringify(job))),
      },
      log: pino({ level: "silent" }),
    },
    after,
  );
  expect(ended).toHaveLength(3);
  expect(count).toBe(1);
});
