// Any body over REST: an answer of the contract, every mistake with a path, nothing smuggled into a header.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "#shared/clock.ts";
import { createLog } from "#shared/log.ts";
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import { createSealer } from "#shared/secrets.ts";
import { fixedConfiguration } from "#test/support/fixed-configuration.ts";
import { prepareJob } from "./prepare-job.ts";
import type { PreparedJob } from "./prepare-job.ts";
import { createRest } from "./rest.ts";

const account: Account = { _id: "acme", customerNo: "1", sourceIps: [], limits: { waitingMails: 9 } };
const domains = { domain: (_: string, domain: string) => (domain === "acme.example" ? {} : undefined) };
const configuration = fixedConfiguration(domains as Partial<Configuration> as Configuration);
const sealer = createSealer(Buffer.alloc(32, 1));
const headers = { authorization: "Basic YWNtZTpzZWNyZXQ=", "content-type": "application/json" };

function createApp() {
  const jobs: PreparedJob[] = [];
  const now = new Date(0);
  const app = createRest({
    authenticator: { byPassword: async () => ({ kind: "known", account }) },
    accept: async (submission) => {
      const facts = { jobId: "job-1", now, deadline: now, bulk: false, traceparent: undefined };
      const prepared = await prepareJob(submission, facts, sealer);
      if (!prepared.ok) return { kind: "refused", problem: prepared.problem };
      jobs.push(prepared.job);
      return { kind: "accepted", jobId: "job-1" };
    },
    configuration,
    clock: systemClock,
    log: createLog("test", "silent"),
  });
  const post = (payload: string | Buffer, more: Record<string, string> = {}) =>
    app.inject({ method: "POST", url: "/v1/jobs", headers: { ...headers, ...more }, payload });
  return { app, post, jobs };
}

const KEYS = [
  "to",
  "cc",
  "email",
  "mail",
  "xHeaders",
  "subject",
  "content",
  "__proto__",
  "constructor",
  "$where",
  "a.b",
  "replyTo",
  "priority",
  "recipients",
];
const TEXTS = [
  "",
  "x",
  "\r\nBcc: v@example.com",
  "a\nb",
  "<>",
  "Name <a@example.com>",
  "ä\u0000",
  "\ud800",
  "=?utf-8?q?x?=",
  '"',
  "a@b@c",
  "HIGH",
  "💥".repeat(30),
];
const text = fc.oneof(fc.constantFrom(...TEXTS), fc.string({ maxLength: 40 }));
const json = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, text, fc.constantFrom(null, true, 0, 1e300), tie("list"), tie("map")),
  list: fc.array(tie("value"), { maxLength: 3 }),
  map: fc
    .array(fc.tuple(fc.constantFrom(...KEYS), tie("value")), { maxLength: 4 })
    .map((entries) => Object.fromEntries(entries) as object),
})).value;

function jobWith(field: string, value: unknown): object {
  const job: Record<string, unknown> = {
    subject: { content: "Subject" },
    body: { content: "Hello" },
    recipients: [{ mail: { to: [{ email: "a@example.com" }] } }],
    mail: { from: { email: "a@acme.example" } },
  };
  const steps = field.split(".");
  const last = steps.pop() ?? "";
  let at = job;
  for (const step of steps) {
    at[step] ??= {};
    at = at[step] as Record<string, unknown>;
  }
  at[last] = value;
  return job;
}

const FIELDS = [
  "subject",
  "subject.content",
  "subject.contentEncoding",
  "subject.charset",
  "body",
  "body.content",
  "alternative",
  "attachments",
  "recipients",
  "recipients.0.mail",
  "recipients.0.mail.to",
  "recipients.0.mail.replyTo",
  "recipients.0.mail.inReplyTo",
  "recipients.0.mail.listUnsubscribe",
  "recipients.0.mail.xHeaders",
  "mail",
  "mail.from.email",
  "mail.mimeFrom",
  "mail.xHeaders",
  "job",
  "job.options",
  "notification",
  "notification.endPoint",
  "other",
];

function expectSound({ message }: PreparedJob): void {
  for (const { headers: block } of message.entries) {
    expect(block.replaceAll("\r\n", "")).not.toMatch(/\p{Cc}(?<!\t)/u);
    const names = block
      .split(/\r\n(?![ \t])/)
      .filter((line) => line !== "")
      .map((line) => line.slice(0, line.indexOf(":")).toLowerCase());
    expect(names).not.toContain("bcc");
    for (const once of ["from", "to", "subject", "message-id"])
      expect(names.filter((name) => name === once).length).toBeLessThanOrEqual(1);
  }
}

function namesMistakes({ errors }: { errors: readonly { path: string; message: string }[] }): boolean {
  return errors.length > 0 && errors.every(({ path, message }) => path !== "" && message !== "");
}

it("answers a problem to a path that cannot be read", async () => {
  const answer = await createApp().app.inject("/%zz");
  expect(answer.headers["content-type"]).toContain("application/problem+json");
  expect(answer.json()).toMatchObject({ status: 400, detail: "The request cannot be read." });
});

describe("any input", () => {
  it("in any field of a job gets 202 or names its mistakes", async () => {
    const { post, jobs } = createApp();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...FIELDS), json, async (field, value) => {
        const answer = await post(JSON.stringify(jobWith(field, value)));
        expect([202, 413, 422]).toContain(answer.statusCode);
        expect(answer.statusCode !== 422 || namesMistakes(answer.json())).toBe(true);
        for (const job of jobs.splice(0)) expectSound(job);
      }),
      { numRuns: 600 },
    );
  }, 60_000);

  it("as a body gets 400 or 422", async () => {
    const { post } = createApp();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
          json.map((value) => JSON.stringify(value)),
        ),
        async (body) => {
          expect([400, 422]).toContain((await post(body)).statusCode);
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  it.each([
    ["a deep body", "[".repeat(90_000), 400],
    ["millions of values", `{"recipients":[${"{},".repeat(5_000_000)}{}]}`, 422],
    ["a hundred thousand mistakes", `{"attachments":[${"0,".repeat(99_000)}0]}`, 422],
    ["a deep field", JSON.stringify({}).replace("}", `"x":${"[".repeat(5_000)}${"]".repeat(5_000)}}`), 422],
    ["a long line without an end", JSON.stringify(jobWith("body.content", "x".repeat(5_000_000))), 202],
    [
      "a long run of spaces in quoted-printable",
      JSON.stringify(jobWith("body", { content: `${" ".repeat(2_000_000)}x`, contentEncoding: "quoted-printable" })),
      202,
    ],
    ["a long header value", JSON.stringify(jobWith("mail.xHeaders", { "X-A": "x ".repeat(1_000_000) })), 422],
    ["a subject of two million characters", JSON.stringify(jobWith("subject.content", "ä".repeat(2_000_000))), 422],
    [
      "a list of many brackets",
      JSON.stringify(
        jobWith("recipients", [{ mail: { to: [{ email: "<".repeat(16_000) }], listUnsubscribe: "<".repeat(16_000) } }]),
      ),
      422,
    ],
  ])(
    "hangs nowhere: %s",
    async (_, body, status) => {
      const { post } = createApp();
      const started = performance.now();
      expect((await post(body)).statusCode).toBe(status);
      expect(performance.now() - started).toBeLessThan(3_000);
    },
    30_000,
  );
});

describe("mistakes", () => {
  const foreign = { from: { email: "Someone <a@else.example>" } };
  const pathsOf = async (job: unknown, more: Record<string, string> = {}): Promise<readonly string[]> => {
    const answer = await createApp().post(JSON.stringify(job), more);
    expect(answer.statusCode).toBe(422);
    return answer.json<{ errors: { path: string }[] }>().errors.map(({ path }) => path);
  };

  it("are named with a sender's domain that isn't the account's", async () => {
    expect(await pathsOf({ ...jobWith("mail", foreign), subject: undefined })).toEqual(["mail.from.email", "subject"]);
    expect(await pathsOf(jobWith("mail", foreign), { "idempotency-key": "k".repeat(256) })).toEqual([
      "Idempotency-Key",
      "mail.from.email",
    ]);
  });

  it("are so many at most that none of them takes much memory, and one where a body is not read for them", async () => {
    expect(
      await pathsOf(
        jobWith(
          "attachments",
          Array.from({ length: 30_000 }, () => 0),
        ),
      ),
    ).toHaveLength(10_000);
    expect(
      await pathsOf(
        jobWith(
          "attachments",
          Array.from({ length: 50_000 }, () => 0),
        ),
      ),
    ).toEqual(["attachments"]);
    expect(
      await pathsOf(
        jobWith(
          "recipients",
          Array.from({ length: 50_000 }, () => 0),
        ),
      ),
    ).toEqual(["recipients"]);
    expect(
      await pathsOf(
        jobWith(
          "recipients",
          Array.from({ length: 200_000 }, () => 0),
        ),
      ),
    ).toEqual(["."]);
  });

  it("name a sender once that is no address, and none whose domain is the account's", async () => {
    expect(await pathsOf(jobWith("mail.from.email", "nobody"))).toEqual(["mail.from.email"]);
    expect(await pathsOf(jobWith("subject", undefined))).toEqual(["subject"]);
  });
});

it("takes 1,000 entries with an address each and what belongs to it, and none with one more", async () => {
  const { post } = createApp();
  const xHeaders = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`X-${index}`, "x"]));
  const entry = { mail: { to: [{ email: "a@example.com" }], replyTo: { email: "r@acme.example" }, xHeaders } };
  const statusOf = async (length: number): Promise<number> =>
    (
      await post(
        JSON.stringify(
          jobWith(
            "recipients",
            Array.from({ length }, () => entry),
          ),
        ),
      )
    ).statusCode;
  expect([await statusOf(1_000), await statusOf(1_001)]).toEqual([202, 422]);
}, 20_000);

describe("xHeaders", () => {
  const { post, jobs } = createApp();
  const blockOf = async (xHeaders: object): Promise<string> => {
    expect((await post(JSON.stringify(jobWith("mail.xHeaders", xHeaders)))).statusCode).toBe(202);
    return jobs.pop()?.message.entries[0]?.headers ?? "";
  };

  it.each([
    ["JSON", "X-SMTPAPI", '{"category":"a"}'],
    ["a quoted name", "List-Id", '"News" <news.acme.example>'],
    ["an encoded word", "X-Name", '=?UTF-8?Q?Gr=C3=BC=C3=9Fe?= "all"'],
    ["what only looks like one", "X-Odd", "=?x?= a=?b?c?="],
  ])("in ASCII go out as they were given: %s", async (_, name, value) => {
    expect(await blockOf({ [name]: value })).toContain(`\r\n${name}: ${value}\r\n`);
  });

  it("are encoded where they are not ASCII", async () => {
    expect(await blockOf({ "X-A": '"Grüße"' })).toContain("X-A: =?UTF-8?Q?=22Gr=C3=BC=C3=9Fe=22?=\r\n");
  });

  it("in ASCII are folded at white space alone, in lines that fit", async () => {
    const word = fc.oneof(
      fc.string({ unit: fc.constantFrom('"', "{", "a", "=", "?", ":"), minLength: 1, maxLength: 12 }),
      fc.constantFrom("x".repeat(900), " ".repeat(100), "\t"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 40 }), async (words) => {
        const value = `"${words.join(" ")}"`.slice(0, 800);
        const block = await blockOf({ "X-A": value });
        expect(block.replace(/\r\n(?=[ \t])/g, "")).toContain(`\r\nX-A: ${value}\r\n`);
        expect(block.split("\r\n").every((line) => line.length <= 998)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
