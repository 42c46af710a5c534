import { describe, expect, it } from "vitest";
import { makeEvent } from "#shared/contracts/make-event.ts";
import type { TrackingPointName } from "#shared/contracts/tracking-point.ts";
import type { HeldJob } from "./notification-batch.ts";
import { batchesOf, dueMs } from "./notification-batch.ts";

const TERMS = { max: 100, lingerMs: 1_000 };
const held = (job: Partial<HeldJob>): HeldJob => ({
  count: 1,
  oldestMs: 10_000,
  newestMs: 10_400,
  mails: undefined,
  finished: 0,
  ...job,
});

describe("a held batch is due", () => {
  it.each([
    ["at once when it is full", { count: 100 }, 10_400],
    ["at once when every mail of its job has ended", { mails: 2, finished: 2 }, 10_400],
    ["a twentieth of the linger after the newest point of a lone mail", { mails: 1 }, 10_450],
    ["a fifth of the linger after the newest point of another job", { mails: 50, finished: 3 }, 10_600],
    ["a fifth of the linger after it where the size of the job is not known", {}, 10_600],
    ["the linger after its oldest point at the latest", { mails: 50, newestMs: 10_950 }, 11_000],
  ])("%s", (_, job, expected) => {
    expect(dueMs(held(job), TERMS)).toBe(expected);
  });
});

const event = (mailId: string, point: TrackingPointName, ms: number) =>
  makeEvent(
    {
      head: {
        jobId: "job",
        account: "acme",
        customerNo: "1",
        receivedTs: "2026-11-24T10:00:00.000Z",
        deadline: "2026-11-26T10:00:00.000Z",
        envelopeFrom: "a@example.com",
        sender: "a@example.com",
        from: "a@example.com",
        endpoint: "sealed",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        bulk: false,
      },
      mailId,
      email: "b@example.com",
      recipient: "b@example.com",
    },
    { point, attempt: 1, at: new Date(Date.UTC(2026, 10, 24) + ms) },
  );

describe("the batches of a job", () => {
  const deadline = new Date("2026-11-27T10:00:00.000Z");

  it("hold each tag once, each mail's points in order, at most so many", () => {
    const events = [
      event("a", "DELIVERED", 9),
      event("a", "STARTED", 1),
      event("b", "STARTED", 1),
      event("a", "PROCESSED", 1),
      event("a", "DELIVERED", 9),
    ];
    const batches = batchesOf(events, { max: 3, deadline });
    const points = batches.flatMap(({ push }) => push.notifications.map(({ meta }) => meta.mail.id + meta.event.type));
    expect(points).toEqual(["aSTARTED", "bSTARTED", "aPROCESSED", "aDELIVERED"]);
    expect(batches.map(({ push }) => push.notifications.length)).toEqual([3, 1]);
  });

  it("stay below the 16 MiB of a message, however long the addresses are", () => {
    const longest = "😀".repeat(16_384);
    const events = Array.from({ length: 100 }, (_, index) => {
      const told = event(`mail ${index}`, "STARTED", index);
      Object.assign(told.body.notification.meta.mail, { email: longest, from: longest, mimeFrom: longest });
      return told;
    });
    const batches = batchesOf(events, { max: 100, deadline });
    const sizes = batches.map((batch) => Buffer.byteLength(JSON.stringify(batch)));
    expect(Math.max(...sizes)).toBeLessThan(16 * 1024 * 1024);
    expect(batches.flatMap(({ push }) => push.notifications)).toEqual(events.map(({ body }) => body.notification));
  });

  it("hold a mail's points in the order of its life, though the clocks of two machines differ", () => {
    const events = [
      event("a", "STARTED", 100),
      event("a", "PROCESSED", 101),
      event("b", "STARTED", 102),
      event("a", "DELIVERED", 90),
    ];
    const [batch] = batchesOf(events, { max: 9, deadline });
    const points = batch?.push.notifications.map(({ meta }) => meta.mail.id + meta.event.type);
    expect(points?.filter((point) => point.startsWith("a"))).toEqual(["aSTARTED", "aPROCESSED", "aDELIVERED"]);
  });

  it("carry the job's meta, its sealed endpoint, its trace and the end of their tries", () => {
    const [batch] = batchesOf([event("a", "STARTED", 1)], { max: 3, deadline });
    expect(batch).toMatchObject({
      push: { meta: { account: "acme", jobId: "job", version: "1" } },
      endpoint: "sealed",
      attempts: 0,
      deadline: deadline.toISOString(),
      traceparent: expect.stringContaining("0af7651916cd43dd8448eb211c80319c") as string,
    });
  });

  it("have the same id when they are made twice of the same points, and another otherwise", () => {
    const id = (points: TrackingPointName[]) =>
      batchesOf(
        points.map((point) => event("a", point, 1)),
        { max: 9, deadline },
      )[0]?.batchId;
    expect(id(["STARTED", "PROCESSED"])).toBe(id(["PROCESSED", "STARTED"]));
    expect(id(["STARTED"])).not.toBe(id(["PROCESSED"]));
  });
});
