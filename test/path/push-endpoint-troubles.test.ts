// A stranger's endpoint: whatever it does is handled, tried again, or dead with a reason, and holds up nobody else.
import type { AddressInfo, Server } from "node:net";
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loopbackAddress } from "#test/support/addresses.ts";
import { createAuthority } from "#test/support/certificate.ts";
import type { Endpoint, EndpointOptions, EndpointScript } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone, TestJob } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";

let notifier: NotifierAlone;
const endpoints: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  notifier = await startNotifier({
    WAYPOST_NOTIFY_SCHEDULE: "1s",
    WAYPOST_NOTIFY_DEADLINE: "30s",
    // The three points of a mail come in one POST, however busy the machine is: a job that has ended waits for nothing.
    WAYPOST_NOTIFY_LINGER: "5s",
    WAYPOST_ALLOW_NETWORKS: "127.0.0.0/8,::1/128",
  });
});

afterAll(async () => {
  await notifier.stop();
  await Promise.all(endpoints.map((endpoint) => endpoint.close()));
});

async function open(script?: EndpointScript, options?: EndpointOptions): Promise<Endpoint> {
  const endpoint = await startEndpoint(script, options);
  endpoints.push(endpoint);
  return endpoint;
}

/** A server that speaks for itself: `answer` gets each request's first bytes. */
async function openRaw(answer: string): Promise<{ url: string; server: Server }> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(answer));
  });
  const address = loopbackAddress();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  endpoints.push({ close: async () => void server.close() });
  return { url: `http://${address}:${(server.address() as AddressInfo).port}/`, server };
}

async function publishTo(url: string): Promise<TestJob> {
  const job = testJob(await notifier.account({ url }));
  await notifier.publish(job.life(0));
  return job;
}

const notesOf = async (job: TestJob) => (await notifier.reader.mail(job.mails[0]?.mailId ?? ""))?.notifications ?? [];
const firstNote = (job: TestJob, deadlineMs = 20_000) => eventually(async () => (await notesOf(job))[0], deadlineMs);

it("tries again what is answered with 500 until it is taken, with the same tags and the same webhook-id", async () => {
  const endpoint = await open((_, count) => ({ status: count < 3 ? 500 : 204 }));
  const job = await publishTo(endpoint.url);
  await eventually(() => endpoint.acknowledged.length === 3);
  expect(new Set(endpoint.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  expect(new Set(endpoint.notifications.map(({ meta }) => meta.tag)).size).toBe(3);
  const notes = await eventually(async () => {
    const found = await notesOf(job);
    return found.length === 3 ? found : undefined;
  });
  expect(notes.map(({ status }) => status)).toEqual([500, 500, 204]);
});

it("does not follow a redirect", async () => {
  const target = await open();
  const endpoint = await open(() => ({ status: 307, headers: { location: target.url } }));
  const job = await publishTo(endpoint.url);
  expect(await firstNote(job)).toMatchObject({ status: 307, error: "307: a redirect, which is not followed" });
  expect(target.requests).toHaveLength(0);
});

it("gives up an answer that takes longer than 10 s, and counts it as none", async () => {
  const endpoint = await open(() => ({ hang: true }));
  expect(await firstNote(await publishTo(endpoint.url))).toMatchObject({ status: 0, error: "no answer in time" });
});

it("takes 200 as success though its body never ends, and closes the connection", async () => {
  const endpoint = await open(() => ({ status: 200, endless: true }));
  expect(await firstNote(await publishTo(endpoint.url))).toMatchObject({ status: 200 });
  await eventually(() => endpoint.openConnections === 0);
});

it("tries again after a reset in the middle of the request", async () => {
  const endpoint = await open((_, count) => (count <= 2 ? { reset: true } : {}));
  const job = await publishTo(endpoint.url);
  expect(await firstNote(job)).toMatchObject({ status: 0, error: expect.stringContaining("connection") as string });
  await eventually(() => endpoint.acknowledged.length === 3);
});

it("posts nothing to a server whose certificate is not trusted", async () => {
  const authority = await createAuthority();
  const endpoint = await open(undefined, { tls: await authority.issue("endpoint.example.net") });
  const note = await firstNote(await publishTo(endpoint.url));
  expect(note).toMatchObject({ status: 0, error: expect.stringContaining("TLS") as string });
  expect(endpoint.requests).toHaveLength(0);
});

it("understands an HTTP/1.0 reply", async () => {
  const { url } = await openRaw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
  expect(await firstNote(await publishTo(url))).toMatchObject({ status: 200 });
});

it("understands a chunked reply", async () => {
  const { url } = await openRaw("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
  expect(await firstNote(await publishTo(url))).toMatchObject({ status: 202 });
});

it("counts as failed what is no HTTP", async () => {
  const { url } = await openRaw("220 mail.example.net ESMTP\r\n");
  expect(await firstNote(await publishTo(url))).toMatchObject({ status: 0, error: "the answer is no HTTP" });
});

it("counts as failed a port where nobody listens", async () => {
  const note = await firstNote(await publishTo(`http://${loopbackAddress()}:9/`));
  expect(note).toMatchObject({ status: 0, error: "connection refused" });
});

it("counts as failed a name that does not resolve", async () => {
  const note = await firstNote(await publishTo("http://nowhere.invalid/"));
  expect(note).toMatchObject({ status: 0 });
});

it("posts over IPv6", async () => {
  const endpoint = await open(undefined, { address: "::1" });
  expect(await firstNote(await publishTo(endpoint.url))).toMatchObject({ status: 200 });
});

it("waits as Retry-After says", async () => {
  const endpoint = await open((_, count) =>
    count === 1 ? { status: 429, headers: { "retry-after": "3" } } : { status: 200 },
  );
  const job = await publishTo(endpoint.url);
  await eventually(() => endpoint.acknowledged.length === 3, 20_000);
  const [first, second] = endpoint.requests;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(2_900);
  await eventually(async () => (await notesOf(job)).length === 2);
});

it("switches an endpoint off that answers 410, raises an alarm, and goes on when it is switched on again", async () => {
  let isGone = true;
  const endpoint = await open(() => ({ status: isGone ? 410 : 200 }));
  const job = await publishTo(endpoint.url);
  const states = notifier.store.collection<{ _id: string; account: string; state: string }>("endpoints");
  await eventually(async () => (await states.findOne({ account: job.head.account }))?.state === "off");
  expect(notifier.system.logs("notifier")).toContainEqual(
    expect.objectContaining({ event: "endpoint.switched_off", alarm: true, account: job.head.account }),
  );
  const posts = endpoint.requests.length;
  await notifier.publish(
    [testJob({ _id: job.head.account, customerNo: "1", sourceIps: [], limits: { waitingMails: 1 } }).life(0)].flat(),
  );
  isGone = false;
  expect(await notifier.command({ command: "enable-endpoint", account: job.head.account })).toEqual({
    status: "done",
    result: { enabled: 1 },
  });
  await eventually(() => endpoint.acknowledged.length === 6, 20_000);
  expect(posts).toBe(1);
});

it("forgets in time what became of endpoints that came with jobs, and never what became of the account's", async () => {
  const endpoint = await open(() => ({ status: 410 }));
  const account = await notifier.account({ url: endpoint.url });
  const own = `${endpoint.url}job/7`;
  const seal = (url: string): string => notifier.sealer.seal(JSON.stringify({ url }));
  for (const sealed of [{}, { endpoint: seal(endpoint.url) }, { endpoint: seal(own) }]) {
    await notifier.publish(testJob(account, 1, sealed).life(0));
  }
  const states = notifier.store.collection<{ _id: string; account: string; url: string; expiresAt?: Date }>(
    "endpoints",
  );
  const found = await eventually(async () => {
    const both = await states.find({ account: account._id }).toArray();
    return both.length === 2 ? both : undefined;
  });
  expect(found.find(({ url }) => url === endpoint.url)?.expiresAt).toBeUndefined();
  expect(found.find(({ url }) => url === own)?.expiresAt?.getTime()).toBeGreaterThan(Date.now() + 86_400_000 - 60_000);
  const indexes = await states.indexes();
  expect(indexes).toContainEqual(expect.objectContaining({ key: { expiresAt: 1 }, expireAfterSeconds: 0 }));
});
