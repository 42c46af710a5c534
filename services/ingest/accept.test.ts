import { describe, expect, it } from "vitest";
import type { Outgoing } from "#shared/broker/actor.ts";
import type { JobMessage } from "#shared/contracts/mail.ts";
import { jobMessageSchema } from "#shared/contracts/mail.ts";
import { jobRequestSchema } from "#shared/contracts/job-request.ts";
import { systemClock } from "#shared/clock.ts";
import { BrokerUnavailable, StoreUnavailable } from "#shared/errors.ts";
import { fixedConfiguration } from "#test/support/fixed-configuration.ts";
import { createLog } from "#shared/log.ts";
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import { createSealer } from "#shared/secrets.ts";
import type { Beginning, IdempotencyKeys } from "#shared/store/idempotency.ts";
import type { AcceptorParts } from "./accept.ts";
import { createAcceptor } from "./accept.ts";
import { hashOf } from "./idempotency.ts";
import { createRate } from "./rate.ts";
import type { Submission } from "./submission.ts";

const account: Account = { _id: "acme", customerNo: "4711", sourceIps: [], limits: { waitingMails: 2_000 } };
/** All that a test submits comes in one moment, however busy the machine is. */
const stillClock = { ...systemClock, nowMs: () => 1_000_000 };
const sealer = createSealer(Buffer.alloc(32, 1));

function setUp(parts: Partial<AcceptorParts> = {}, beginning?: Beginning) {
  const published: Outgoing[] = [];
  const steps: string[] = [];
  const note = async (step: string): Promise<void> => void steps.push(step);
  const keys: IdempotencyKeys = {
    begin: async ({ jobId }) => beginning ?? { kind: "new", jobId },
    finish: () => note("finish"),
    release: () => note("release"),
    endLease: () => note("endLease"),
    prepare: async () => undefined,
  };
  const domains = {
    domain: (name: string, domain: string) => (name === "acme" && domain === "acme.example" ? {} : undefined),
  };
  const accept = createAcceptor({
    configuration: fixedConfiguration(domains as Partial<Configuration> as Configuration),
    broker: {
      ready: true,
      blocked: undefined,
      publish: async (messages) => {
        steps.push("publish");
        published.push(...messages);
      },
    },
    contents: {
      put: async (content) => {
        steps.push("put");
        return { kind: "inline", bytes: content.length };
      },
    },
    keys,
    waiting: { enter: async () => undefined, leave: () => undefined },
    watch: { accepted: () => undefined },
    rates: { limit: createRate(stillClock), flood: createRate(stillClock) },
    sealer,
    clock: systemClock,
    log: createLog("test", "silent"),
    metrics: { count: () => undefined },
    retryDeadlineMs: 3_600_000,
    ...parts,
  });
  const job = (): JobMessage => jobMessageSchema.parse(published[0]?.body);
  return { accept, published, steps, job };
}

function requestTo(addresses: number, more: object = {}): Submission {
  const to = Array.from({ length: addresses }, (_, index) => ({ email: `r${index}@example.com` }));
  const request = jobRequestSchema.parse({
    subject: { content: "Subject" },
    body: { content: "Hello" },
    recipients: [{ mail: { to } }],
    mail: { from: { email: "Acme <info@Acme.example>" } },
    ...more,
  });
  return { way: "rest", account, content: { kind: "request", request } };
}

const keyed = (submission: Submission): Submission => ({
  ...submission,
  idempotency: { key: "k", bodyHash: "h", field: "message_id" },
});

describe("accepting", () => {
  it("publishes one job with its content, and answers its id", async () => {
    const { accept, published, job, steps } = setUp();
    const answer = await accept(requestTo(2));
    expect(answer).toEqual({ kind: "accepted", jobId: job().head.jobId });
    expect(steps).toEqual(["put", "publish"]);
    expect(published[0]).toMatchObject({
      exchange: "waypost.jobs",
      routingKey: "interactive",
      type: "job",
      suspect: false,
    });
    expect(job().head).toMatchObject({
      from: "Acme <info@Acme.example>",
      envelopeFrom: "info@Acme.example",
      sender: "info@acme.example",
    });
    expect(published[0]?.content?.toString()).toContain("Hello");
  });

  it("sends jobs of over 10 addresses, and floods, by the bulk mailboxes", async () => {
    const { accept, published } = setUp();
    await accept(requestTo(11));
    for (let count = 0; count < 60; count += 1) await accept(requestTo(1));
    const keysOf = published.map(({ routingKey }) => routingKey);
    expect([keysOf[0], keysOf[1], keysOf.at(-1)]).toEqual(["bulk", "interactive", "bulk"]);
  });

  it("seals the job's endpoint", async () => {
    const { accept, job } = setUp();
    const endPoint = { url: "https://c.example/", authentication: { method: "BASIC", user: "u", password: "secret" } };
    await accept(requestTo(1, { notification: { endPoint } }));
    expect(JSON.stringify(job())).not.toContain("secret");
    expect(JSON.parse(sealer.open(job().head.endpoint ?? ""))).toEqual(endPoint);
  });

  it("takes a ready message as it is, and routes by the sender that was read from it", async () => {
    const { accept, published, job } = setUp();
    const ready = {
      message: Buffer.from("From: x\r\n\r\nbody\r\n"),
      envelopeFrom: "",
      sender: "shop@acme.example",
      headerFrom: "shop(x)@acme.example (Shop)",
      recipients: ["a@example.com"],
      messageId: "<m@x>",
    };
    expect(await accept({ way: "smtp", account, content: { kind: "ready", ready } })).toMatchObject({
      kind: "accepted",
    });
    expect(job().head).toMatchObject({
      envelopeFrom: "",
      sender: "shop@acme.example",
      mimeFrom: "shop(x)@acme.example (Shop)",
    });
    expect(job().entries).toEqual([{ headers: "", messageId: "<m@x>", addresses: ["a@example.com"] }]);
    expect(published[0]?.content).toBe(ready.message);
  });

  it("tells no From and no message id that is as long as a message may be", async () => {
    const { accept, job } = setUp();
    const long = "x".repeat(1_000_000);
    const ready = {
      message: Buffer.from(`From: ${long}\r\nMessage-ID: ${long}\r\n\r\n`),
      envelopeFrom: "shop@acme.example",
      sender: "shop@acme.example",
      headerFrom: long,
      recipients: Array.from({ length: 1_000 }, (_, index) => `r${index}@example.com`),
      messageId: long,
    };
    const submission: Submission = { way: "smtp", account, content: { kind: "ready", ready } };
    expect(await accept(submission)).toMatchObject({ kind: "accepted" });
    expect(JSON.stringify(job()).length).toBeLessThan(100_000);
  });
});

describe("refusing", () => {
  it.each([
    ["a sender domain of someone else", {}, requestTo(1, { mail: { from: { email: "a@else.example" } } }), 422],
    ["more than may wait", { waiting: { enter: async () => 2_000, leave: () => undefined } }, requestTo(1), 429],
    [
      "jobs over the rate",
      { rates: { limit: { take: () => 1_500 }, flood: { take: () => 0 } } },
      { ...requestTo(1), account: { ...account, limits: { waitingMails: 9, jobsPerSecond: 1 } } },
      429,
    ],
  ])("refuses %s", async (_, parts, submission, status) => {
    const { accept, published } = setUp(parts);
    expect(await accept(submission)).toMatchObject({ kind: "refused", problem: { status } });
    expect(published).toEqual([]);
  });

  it("counts a job's mails among those that wait where it was accepted, and no longer where it was not", async () => {
    const told: unknown[] = [];
    const waiting = {
      enter: async () => undefined,
      leave: (...[, mails, isAccepted]: [string, number, boolean]) => void told.push(mails, isAccepted),
    };
    const limits = { waitingMails: 9, jobsPerSecond: 1 };
    const overRate = { limit: { take: () => 1_500 }, flood: { take: () => 0 } };
    const away = { ready: true, blocked: undefined, publish: () => Promise.reject(new BrokerUnavailable("?")) };
    await setUp({ waiting }).accept(requestTo(2));
    await setUp({ waiting, broker: away }).accept(requestTo(3));
    await setUp({ waiting, rates: overRate }).accept({ ...requestTo(4), account: { ...account, limits } });
    expect(told).toEqual([2, true, 3, false, 4, false]);
  });

  const words = `${"x".repeat(800)} `.repeat(20).trim();
  const long = (kilobytes: number) =>
    Object.fromEntries(Array.from({ length: kilobytes / 16 }, (_, index) => [`X-${index}`, words]));
  const from = { from: { email: "a@acme.example" } };
  const each = (count: number, email = "a@b.example") =>
    Array.from({ length: count }, () => ({ mail: { to: [{ email }] } }));

  it.each([
    ["headers that stand in each of many entries", { recipients: each(1_000), mail: { ...from, xHeaders: long(400) } }],
    ["recipients that are long texts", { recipients: each(500, words) }],
    ["headers that travel with many mails", { mail: { ...from, xHeaders: long(256) } }],
  ])("refuses %s, before they are all made", async (_, more) => {
    const { accept, published } = setUp();
    const startedMs = performance.now();
    expect(await accept(requestTo(1_000, more))).toMatchObject({ kind: "refused", problem: { status: 413 } });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(published).toEqual([]);
  });

  it("lets other work in between while it makes many entries", async () => {
    let turns = 0;
    const count = (): void => void ((turns += 1), (next = setImmediate(count)));
    let next = setImmediate(count);
    await setUp().accept(requestTo(1, { recipients: each(100), mail: { ...from, xHeaders: long(64) } }));
    clearImmediate(next);
    expect(turns).toBeGreaterThan(5);
  });

  it("makes few of an account at once of jobs whose headers stand in each of many entries", async () => {
    let [making, most] = [0, 0];
    const { accept } = setUp({
      contents: {
        put: async (content) => {
          most = Math.max(most, (making += 1));
          await new Promise((resolve) => setTimeout(resolve, 1));
          making -= 1;
          return { kind: "inline", bytes: content.length };
        },
      },
    });
    const large = requestTo(1, { recipients: each(40), mail: { ...from, xHeaders: long(32) } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => accept(large)));
    expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(["accepted"]));
    expect(most).toBe(2);
  });

  it("takes 1,000 visible recipients with long names", async () => {
    const to = Array.from({ length: 1_000 }, (_, index) => ({
      email: `Maximilian Mustermann-Schneider <maximilian.mustermann-schneider.${index}@subsidiary.example>`,
    }));
    expect(await setUp().accept(requestTo(1_000, { recipients: [{ mail: { to } }] }))).toMatchObject({
      kind: "accepted",
    });
  });

  it.each([
    ["the broker is away", { broker: { ready: false, blocked: undefined, publish: async () => undefined } }],
    ["the broker is blocked", { broker: { ready: false, blocked: "low on memory", publish: async () => undefined } }],
    [
      "no confirm comes",
      {
        broker: { ready: true, blocked: undefined, publish: () => Promise.reject(new BrokerUnavailable("no confirm")) },
      },
    ],
    [
      "the database is away",
      {
        contents: { put: () => Promise.reject(new StoreUnavailable("away")) } as Partial<
          AcceptorParts["contents"]
        > as AcceptorParts["contents"],
      },
    ],
  ])("is unavailable while %s", async (_, parts) => {
    const { accept } = setUp(parts);
    expect(await accept(requestTo(1))).toMatchObject({ kind: "unavailable", retryAfterSeconds: 5 });
  });
});

describe("idempotency keys", () => {
  it("are done after the confirm", async () => {
    const { accept, steps } = setUp();
    expect(await accept(keyed(requestTo(1)))).toMatchObject({ kind: "accepted" });
    expect(steps).toEqual(["put", "publish", "finish"]);
  });

  it.each<[string, Beginning, object]>([
    ["done: the job id again", { kind: "done", jobId: "first" }, { kind: "accepted", jobId: "first" }],
    ["another body: 422", { kind: "other-body" }, { kind: "refused", problem: { status: 422 } }],
    [
      "in progress: 409",
      { kind: "in-progress", leaseUntil: new Date(0) },
      { kind: "refused", problem: { status: 409 }, retryAfterSeconds: 1 },
    ],
  ])("%s, and nothing is published", async (_, beginning, answer) => {
    const { accept, published } = setUp({}, beginning);
    expect(await accept(keyed(requestTo(1)))).toMatchObject(answer);
    expect(published).toEqual([]);
  });

  it("past their lease are taken over with the same job id, time of acceptance and deadline, as suspect", async () => {
    const receivedAt = new Date("2026-01-01T00:00:00.000Z");
    const { accept, published, job } = setUp({}, { kind: "taken-over", jobId: "first", receivedAt });
    expect(await accept(keyed(requestTo(1)))).toEqual({ kind: "accepted", jobId: "first" });
    expect([published[0]?.suspect, job().head.jobId]).toEqual([true, "first"]);
    expect(job().head.receivedTs).toBe(receivedAt.toISOString());
    expect(job().head.deadline).toBe("2026-01-01T01:00:00.000Z");
  });

  it("are free again when nothing was published, and can be taken over when that is unknown", async () => {
    const refused = setUp({ waiting: { enter: async () => 9_999, leave: () => undefined } });
    await refused.accept(keyed(requestTo(1)));
    expect(refused.steps).toEqual(["release"]);
    const unknown = setUp({
      broker: { ready: true, blocked: undefined, publish: () => Promise.reject(new BrokerUnavailable("?")) },
    });
    await unknown.accept(keyed(requestTo(1)));
    expect(unknown.steps).toEqual(["put", "endLease"]);
  });

  it("hash a body alike whatever the order of its keys", () => {
    expect(hashOf({ a: [1, "x"], b: { c: null } })).toBe(hashOf({ b: { c: null }, a: [1, "x"] }));
    expect(hashOf({ a: ["x", "y"] })).not.toBe(hashOf({ a: ["xy"] }));
    expect(hashOf({ a: 1 })).not.toBe(hashOf({ a: "1" }));
    expect(hashOf(Buffer.from("x"))).not.toBe(hashOf("x"));
  });
});
