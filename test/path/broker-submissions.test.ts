// Submission over the broker as an application does it: an own user with the permissions that deploy/broker gives.
import { Ajv } from "ajv";
import type { ConfirmChannel, ConsumeMessage, Options } from "amqplib";
import { connect } from "amqplib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import { connectManagement } from "#test/support/management.ts";
import type { CommonSystem } from "#test/support/common-system.ts";
import { commonSystem } from "#test/support/common-system.ts";
import type { TestAccount } from "#test/support/system-client.ts";

interface Application {
  account: TestAccount;
  user: string;
  channel: ConfirmChannel;
}

interface Answer {
  correlationId: string;
  body: { jobId?: string; error?: { status: number; detail: string; errors?: { path: string }[] } };
}

let system: CommonSystem;
let relay: MailServer;
const newRecipient = (): string => `${uniqueLabel("to")}@recipient.example`;

beforeAll(async () => {
  system = await commonSystem();
  relay = await startMailServer();
});
afterAll(() => relay.close());

async function application(): Promise<Application> {
  const user = uniqueLabel("app");
  const url = new URL(system.amqpUrl.split(",")[0] ?? "");
  const management = connectManagement(system.managementUrl);
  const own = `app\\.${user}\\..*`;
  await management.createUser(user, "secret", decodeURIComponent(url.pathname.slice(1)), {
    configure: `^${own}$`,
    write: `^(${own}|waypost\\.submissions)$`,
    read: `^(${own}|waypost\\.events)$`,
  });
  url.username = user;
  url.password = "secret";
  const account = await system.account({ brokerUser: user });
  await system.relay(account, relay);
  const connection = await connect(url.toString(), { noDelay: true });
  onTestFinished(async () => {
    await connection.close();
    await management.deleteUser(user);
  });
  return { account, user, channel: await connection.createConfirmChannel() };
}

/** Publishes and waits for the answer by direct reply-to. */
async function ask(app: Application, job: unknown, options: Options.Publish = {}): Promise<Answer> {
  const answer = Promise.withResolvers<Answer>();
  const { consumerTag } = await app.channel.consume(
    "amq.rabbitmq.reply-to",
    (message) => {
      if (message === null) return;
      const body = JSON.parse(message.content.toString()) as Answer["body"];
      answer.resolve({ correlationId: String(message.properties.correlationId), body });
    },
    { noAck: true },
  );
  const replyTo = "amq.rabbitmq.reply-to";
  publish(app, job, { replyTo, correlationId: uniqueLabel("c"), ...options });
  await app.channel.waitForConfirms();
  const given = await answer.promise;
  await app.channel.cancel(consumerTag);
  return given;
}

function publish(app: Application, job: unknown, options: Options.Publish = {}): void {
  const body = Buffer.isBuffer(job) ? job : Buffer.from(typeof job === "string" ? job : JSON.stringify(job, null, 2));
  const properties = { userId: app.user, messageId: uniqueLabel("m"), contentType: "application/json", ...options };
  app.channel.publish("waypost.submissions", "jobs", body, properties);
}

/** A job of the application, accepted once its account is known everywhere. */
async function accepted(app: Application, job: unknown, options: Options.Publish = {}): Promise<string> {
  return eventually(async () => (await ask(app, job, options)).body.jobId);
}

interface Letter {
  id: string;
  queue: string;
  messageId?: string;
  reason: string;
}

async function deadLetter(messageId: string): Promise<Letter> {
  return eventually(async () => {
    const { body } = await system.control.get<{ items: Letter[] }>("/v1/dead-letters?limit=500");
    return body.items.find((letter) => letter.messageId === messageId);
  });
}

describe("a job over the broker", () => {
  it("is accepted with its id and the same correlation_id, and relayed", async () => {
    const app = await application();
    const recipient = newRecipient();
    await accepted(app, jobOf(app.account, [newRecipient()]));
    const { body, correlationId } = await ask(app, jobOf(app.account, [recipient]), { correlationId: "mine" });
    expect(correlationId).toBe("mine");
    expect(body).toEqual({ jobId: expect.any(String) });
    await eventually(() => relay.recipients.includes(recipient));
  });

  it("of the same message_id answers the same id and sends nothing twice", async () => {
    const app = await application();
    const recipient = newRecipient();
    const job = jobOf(app.account, [recipient]);
    const jobId = await accepted(app, job, { messageId: "m1" });
    expect((await ask(app, job, { messageId: "m1" })).body).toEqual({ jobId });
    expect((await ask(app, jobOf(app.account, [newRecipient()]), { messageId: "m1" })).body.error).toMatchObject({
      status: 422,
      errors: [{ path: "message_id" }],
    });
    await eventually(() => relay.recipients.includes(recipient));
    await accepted(app, jobOf(app.account, [newRecipient()]));
    expect(relay.recipients.filter((to) => to === recipient)).toHaveLength(1);
  });

  it("continues the caller's trace", async () => {
    const app = await application();
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    const [mail] = await system.mailsOf(await accepted(app, jobOf(app.account, [newRecipient()]), { headers }));
    expect((await system.ended(mail?.mailId ?? "")).traceId).toBe(traceId);
  });

  it("is told of on waypost.events, each point once, to a queue that the application binds", async () => {
    const app = await application();
    const queue = `app.${app.user}.events`;
    await app.channel.assertQueue(queue, { exclusive: true });
    await app.channel.bindQueue(queue, "waypost.events", `${app.account.name}.#`);
    const keys: string[] = [];
    await app.channel.consume(queue, (message) => message !== null && keys.push(message.fields.routingKey), {
      noAck: true,
    });
    const [mail] = await system.mailsOf(await accepted(app, jobOf(app.account, [newRecipient()])));
    await system.ended(mail?.mailId ?? "");
    await eventually(() => keys.includes(`${app.account.name}.delivered.ok`));
    expect(keys).toEqual([
      `${app.account.name}.started.processing_started`,
      `${app.account.name}.processed.processing_finished`,
      `${app.account.name}.delivered.ok`,
    ]);
  });
});

/** Of one relay, by its connections. */
const MORE_THAN_IN_HAND = 60;

/** A queue of the application that takes nothing: each message to it is nacked. */
async function fullQueueOf(app: Application): Promise<string> {
  const queue = `app.${app.user}.full`;
  const full = { "x-max-length": 0, "x-overflow": "reject-publish" };
  await app.channel.assertQueue(queue, { exclusive: true, arguments: full });
  return queue;
}

it("a queue that takes no more tracking points holds up no mail, and no other queue", async () => {
  const app = await application();
  await app.channel.bindQueue(await fullQueueOf(app), "waypost.events", `${app.account.name}.#`);
  const queue = `app.${app.user}.events`;
  await app.channel.assertQueue(queue, { exclusive: true });
  await app.channel.bindQueue(queue, "waypost.events", `${app.account.name}.#`);
  const tags = new Set<string>();
  const keep = (message: ConsumeMessage | null): void =>
    void (message && tags.add(String(message.properties.messageId)));
  await app.channel.consume(queue, keep, { noAck: true });
  const recipients = Array.from({ length: MORE_THAN_IN_HAND }, newRecipient);
  await accepted(app, jobOf(app.account, recipients));
  await eventually(() => recipients.every((recipient) => relay.recipients.includes(recipient)));
  await eventually(() => tags.size >= 3 * MORE_THAN_IN_HAND);
  expect(tags.size).toBe(3 * MORE_THAN_IN_HAND);
});

it("jobs whose answers their queue refuses hold up nobody", async () => {
  const app = await application();
  const replyTo = await fullQueueOf(app);
  await accepted(app, jobOf(app.account, [newRecipient()]));
  for (let count = 0; count < 40; count += 1) publish(app, {}, { replyTo });
  expect((await ask(app, jobOf(app.account, [newRecipient()]))).body).toEqual({ jobId: expect.any(String) });
});

describe("a refused job", () => {
  it("is answered with the problem and every mistake's path", async () => {
    const app = await application();
    await accepted(app, jobOf(app.account, [newRecipient()]));
    const { error } = (
      await ask(app, jobOf(app.account, [newRecipient()], { mail: { from: { email: "a@foreign.example" } } }))
    ).body;
    expect(error).toMatchObject({ status: 422, errors: [{ path: "mail.from.email" }] });
    const foreign = { ...jobOf(app.account, Array(9).fill("")), mail: { from: { email: "a@foreign.example" } } };
    const paths = (await ask(app, foreign)).body.error?.errors?.map(({ path }) => path) ?? [];
    expect(paths).toEqual(expect.arrayContaining(["recipients[8].mail.to[0].email", "mail.from.email"]));
    expect((await ask(app, "{no json")).body.error?.status).toBe(400);
    expect((await ask(app, jobOf(app.account, []))).body.error?.errors?.[0]?.path).toBe("recipients");
    expect((await ask(app, {}, { contentType: "text/plain" })).body.error?.status).toBe(415);
    expect((await ask(app, jobOf(app.account, [newRecipient()]), { messageId: "" })).body.error?.status).toBe(422);
  });

  it("over 12 MB is told to take REST or SMTP", async () => {
    const app = await application();
    await accepted(app, jobOf(app.account, [newRecipient()]));
    const { error } = (await ask(app, Buffer.alloc(12 * 1024 * 1024 + 1, " "))).body;
    expect(error).toMatchObject({ status: 413, detail: expect.stringMatching(/REST or SMTP/) });
  });

  it("without reply_to is a dead letter with the problem", async () => {
    const app = await application();
    await accepted(app, jobOf(app.account, [newRecipient()]));
    const messageId = uniqueLabel("m");
    publish(app, {}, { messageId });
    const letter = await deadLetter(messageId);
    expect(letter.queue).toBe("ingest.submissions");
    expect(JSON.parse(letter.reason)).toMatchObject({ status: 422, errors: expect.any(Array) });
  });

  it("with a queue of Waypost's own as reply_to is one too, and nothing is put there", async () => {
    const app = await application();
    await accepted(app, jobOf(app.account, [newRecipient()]));
    const messageId = uniqueLabel("m");
    publish(app, jobOf(app.account, [newRecipient()]), { messageId, replyTo: "router.due" });
    expect(JSON.parse((await deadLetter(messageId)).reason)).toMatchObject({ status: 403 });
  });

  it("of a user that no account names is refused", async () => {
    const app = await application();
    await system.control.put(`/v1/accounts/${app.account.name}`, {
      customerNo: "4711",
      brokerUser: uniqueLabel("other"),
    });
    const refused = await eventually(async () => (await ask(app, jobOf(app.account, [newRecipient()]))).body.error);
    expect(refused.status).toBe(401);
  });

  it("is accepted by a replay once what was wrong is mended, as its user's", async () => {
    const app = await application();
    await accepted(app, jobOf(app.account, [newRecipient()]));
    const [messageId, recipient, domain] = [uniqueLabel("m"), newRecipient(), `${uniqueLabel("new")}.example`];
    publish(app, jobOf(app.account, [recipient], { mail: { from: { email: `a@${domain}` } } }), { messageId });
    const { id } = await deadLetter(messageId);
    await system.control.put(`/v1/accounts/${app.account.name}/domains/${domain}`, {});
    const relayPath = `/v1/accounts/${app.account.name}/domains/${domain}/relay`;
    await system.control.put(relayPath, { host: relay.host, port: relay.port });
    expect((await system.control.post(`/v1/dead-letters/${id}/replay`, {})).status).toBe(200);
    await eventually(() => relay.recipients.includes(recipient));
  });

  it("without user_id is refused", async () => {
    const app = await application();
    const messageId = uniqueLabel("m");
    const body = Buffer.from(JSON.stringify(jobOf(app.account, [newRecipient()])));
    app.channel.publish("waypost.submissions", "jobs", body, { messageId, contentType: "application/json" });
    expect(JSON.parse((await deadLetter(messageId)).reason)).toMatchObject({ status: 401 });
  });
});

describe("the AsyncAPI document", () => {
  it("is served by ingest and control, and real messages are as it says", async () => {
    const documents = await Promise.all(
      [system.httpUrl, system.controlUrl].map(async (url) => (await fetch(`${url}/asyncapi.json`)).json()),
    );
    expect(documents[0]).toEqual(documents[1]);
    const { components } = documents[0] as { components: { schemas: Record<string, object> } };
    const mistakes = (name: string, message: unknown): unknown => {
      const ajv = new Ajv({ strict: false, validateFormats: false });
      return ajv.validate(components.schemas[name] ?? false, message) ? [] : ajv.errors;
    };
    const app = await application();
    const queue = `app.${app.user}.events`;
    await app.channel.assertQueue(queue, { exclusive: true });
    await app.channel.bindQueue(queue, "waypost.events", `${app.account.name}.#`);
    const events: unknown[] = [];
    const keep = (message: ConsumeMessage | null): void =>
      void (message && events.push(JSON.parse(message.content.toString())));
    await app.channel.consume(queue, keep, { noAck: true });
    const job = jobOf(app.account, [newRecipient(), "no address"]);
    expect(mistakes("jobRequest", job)).toEqual([]);
    await accepted(app, job);
    expect(mistakes("submissionReply", (await ask(app, job)).body)).toEqual([]);
    expect(mistakes("submissionReply", (await ask(app, {})).body)).toEqual([]);
    await eventually(() => events.length >= 8);
    for (const event of events) expect(mistakes("event", event)).toEqual([]);
  });
});

it("answers any bytes and any JSON with a problem that is no fault of ours", async () => {
  const app = await application();
  await accepted(app, jobOf(app.account, [newRecipient()]));
  const names = fc.constantFrom("__proto__", "$where", "a.b", "constructor", "subject", "recipients", "mail", "job");
  const body = fc.oneof(
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
    fc
      .dictionary(names, fc.jsonValue())
      .map((value) => Buffer.from(JSON.stringify({ ...jobOf(app.account, []), ...value }))),
  );
  const property = fc.asyncProperty(body, async (bytes) => {
    const { error } = (await ask(app, bytes)).body;
    expect([400, 422]).toContain(error?.status);
  });
  await fc.assert(property, { numRuns: 60, endOnFailure: true });
});
