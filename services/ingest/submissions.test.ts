import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import { fixedConfiguration } from "#test/support/fixed-configuration.ts";
import { MAX_SUBMISSION_BYTES } from "#shared/contracts/asyncapi.ts";
import { createSealer } from "#shared/secrets.ts";
import { problemOf } from "./problem.ts";
import type { SubmissionMessage } from "./submissions.ts";
import { createSubmissionsActor, isOwnQueue, readSubmission, settle } from "./submissions.ts";

const account: Account = {
  _id: "acme",
  customerNo: "1",
  sourceIps: [],
  brokerUser: "acme-app",
  limits: { waitingMails: 1 },
};
const domains = { domain: (_: string, domain: string) => (domain === "acme.example" ? {} : undefined) };
const configuration = fixedConfiguration(domains as Partial<Configuration> as Configuration);
const job = {
  subject: { content: "Hello" },
  body: { content: "Hi" },
  recipients: [{ mail: { to: [{ email: "to@example.com" }] } }],
  mail: { from: { email: "a@acme.example" } },
};
const properties = { userId: "acme-app", messageId: "m1", contentType: "application/json", replyTo: "amq.gen-1" };

function messageOf(change: Partial<SubmissionMessage> = {}): SubmissionMessage {
  return { message: job, content: Buffer.alloc(0), bytes: 100, suspect: false, properties, ...change };
}

const read = (change: Partial<SubmissionMessage>): ReturnType<typeof readSubmission> =>
  readSubmission(
    messageOf(change),
    (change.properties ?? properties).userId === "acme-app" ? account : undefined,
    configuration,
  );

function without(name: keyof typeof properties): Partial<SubmissionMessage> {
  const { [name]: _, ...others } = properties;
  return { properties: others };
}

describe("a submission", () => {
  it("is read with its message_id as the key", async () => {
    expect(await read({ suspect: true })).toMatchObject({
      ok: true,
      submission: { account: { _id: "acme" }, idempotency: { key: "m1" }, suspect: true },
    });
  });

  it.each([
    ["no user_id", without("userId"), 401],
    ["a user of no account", { properties: { ...properties, userId: "other" } }, 401],
    ["no message_id", without("messageId"), 422],
    ["no content type", without("contentType"), 415],
    ["another content type", { properties: { ...properties, contentType: "text/plain" } }, 415],
    ["no JSON", { message: undefined }, 400],
    [
      "JSON in Latin-1",
      { content: Buffer.from(JSON.stringify({ ...job, subject: { content: "Grüße" } }), "latin1") },
      400,
    ],
    ["a mistake", { message: { ...job, subject: {} } }, 422],
    ["more values than are read", { message: undefined, content: Buffer.from(`[${"0,".repeat(200_000)}0]`) }, 422],
    ["more than 12 MB", { bytes: MAX_SUBMISSION_BYTES + 1 }, 413],
    ["a queue of ours to answer to", { properties: { ...properties, replyTo: "router.due" } }, 403],
  ])("with %s is refused", async (_, change, status) => {
    expect(await read(change)).toMatchObject({ ok: false, problem: { status } });
  });

  it("names the field of each mistake", async () => {
    expect(await read({ message: { ...job, mail: { from: { email: "" } } } })).toMatchObject({
      problem: { errors: expect.arrayContaining([expect.objectContaining({ path: "mail.from.email" })]) },
    });
  });

  it("names every mistake at once: of the job, of its properties, and a sender's domain that isn't the account's", async () => {
    const to = Array.from({ length: 20 }, () => ({ email: "" }));
    const wrong = { recipients: [{ mail: { to } }], mail: { from: { email: "a@else.example" } } };
    const result = await read({ message: wrong, ...without("messageId") });
    const paths = new Set(result.ok ? [] : result.problem.errors?.map(({ path }) => path));
    const ofRecipients = to.map((_, index) => `recipients[0].mail.to[${index}].email`);
    expect(paths).toEqual(new Set(["subject", ...ofRecipients, "mail.from.email", "message_id"]));
  });

  it("of any JSON is read or refused, never thrown at", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (message) => {
        expect(await read({ message })).toMatchObject({ ok: false, problem: { status: 422 } });
      }),
    );
  });
});

it("waits for the lease of a copy that died, also where that was begun by a clock 5 s ahead", async () => {
  let waitedMs = 0;
  const actor = createSubmissionsActor({
    accept: async () =>
      waitedMs < 10_000
        ? { kind: "refused", problem: problemOf(409, "in progress") }
        : { kind: "accepted", jobId: "first" },
    configuration: fixedConfiguration({
      ...domains,
      accountOfBrokerUser: () => account,
    } as Partial<Configuration> as Configuration),
    sealer: createSealer(Buffer.alloc(32, 1)),
    clock: { ...systemClock, sleep: async (ms) => void (waitedMs += ms) },
  });
  const place = { type: "", queue: "ingest.submissions", exchange: "", routingKey: "jobs" };
  const verdict = await actor.handle({ ...messageOf(), ...place, headers: {}, traceparent: undefined });
  expect(verdict).toMatchObject({ kind: "done", publish: [{ body: { jobId: "first" } }] });
});

describe("its answer", () => {
  const problem = { type: "about:blank", title: "Unprocessable content", status: 422, detail: "no" } as const;
  const asked = messageOf({ properties: { ...properties, correlationId: "c1" } });
  const unasked = messageOf(without("replyTo"));

  it("goes to reply_to with the same correlation_id", () => {
    expect(settle(asked, { jobId: "j" })).toEqual({
      kind: "done",
      publish: [
        { exchange: "", routingKey: "amq.gen-1", type: "", body: { jobId: "j" }, correlationId: "c1", transient: true },
      ],
    });
    expect(settle(asked, { problem })).toMatchObject({ kind: "done", publish: [{ body: { error: problem } }] });
  });

  it("of a refused job without reply_to is its dead letter", () => {
    expect(settle(unasked, { problem })).toEqual({ kind: "park", reason: JSON.stringify(problem) });
    expect(settle(unasked, { jobId: "j" })).toEqual({ kind: "done", publish: [] });
  });

  it("names every mistake, and as a dead letter the first of them", () => {
    const errors = Array.from({ length: 500 }, (_, index) => ({ path: `recipients[${index}]`, message: "required" }));
    const many = { problem: { ...problem, errors } };
    expect(settle(asked, many)).toMatchObject({ publish: [{ body: { error: { errors } } }] });
    const parked = settle(unasked, many);
    expect(JSON.parse(parked.kind === "park" ? parked.reason : "")).toEqual({ ...problem, errors: errors.slice(0, 5) });
  });

  it.each([
    ["router.due", true],
    ["ingest.submissions", true],
    ["delivery.relay.acme.acme.example", true],
    ["retry-scheduler.wait.1m", true],
    ["dead-letters", true],
    ["waypost.replies", true],
    ["amq.rabbitmq.reply-to.g1h2", false],
    ["acme.replies", false],
    ["routers", false],
    [undefined, false],
  ])("may go to %s: not ours is %s", (queue, isOurs) => {
    expect(isOwnQueue(queue)).toBe(isOurs);
  });
});
