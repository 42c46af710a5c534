import { pino } from "pino";
import { expect, it } from "vitest";
import type { Outgoing } from "#shared/broker/actor.ts";
import { eventMessageSchema } from "#shared/contracts/event.ts";
import { aJob, DEADLINE } from "#test/support/build-mail.ts";
import { endParkedJobs } from "./parked-jobs.ts";

const job = aJob({ addresses: ["A <a@example.net>", "b@example.net"] });
const after = new Date(Date.parse(DEADLINE) + 1);
const before = new Date(Date.parse(DEADLINE) - 1);

async function whenSwept(given: { now: Date; hasEnded?: boolean; body?: Buffer }): Promise<Outgoing[]> {
  const published: Outgoing[] = [];
  const body = given.body ?? Buffer.from(`${JSON.stringify(job)}\nhello`);
  await endParkedJobs(
    {
      broker: { publish: (messages) => Promise.resolve(void published.push(...messages)) },
      reader: { hasEnded: () => Promise.resolve(given.hasEnded) },
      parked: {
        jobs: () => Promise.resolve([{ id: "letter", jobId: job.head.jobId, reason: "TypeError" }]),
        bodyOf: () => Promise.resolve(body),
      },
      log: pino({ level: "silent" }),
    },
    given.now,
  );
  return published;
}

it("the mails of a parked job end at its deadline as PROCESSING_FAILED", async () => {
  const events = (await whenSwept({ now: after })).map(({ body }) => eventMessageSchema.parse(body).notification.meta);
  expect(events.map(({ mail }) => mail.email)).toEqual(["A <a@example.net>", "b@example.net"]);
  expect(new Set(events.map(({ event }) => event.subType))).toEqual(new Set(["PROCESSING_FAILED"]));
  expect(events[0]?.event.description).toContain("TypeError");
});

it.each([
  ["before its deadline", { now: before }],
  ["whose mails the record knows", { now: after, hasEnded: false }],
  ["that cannot be read", { now: after, body: Buffer.from("{}") }],
])("a parked job %s is left", async (_, given) => {
  expect(await whenSwept(given)).toEqual([]);
});
