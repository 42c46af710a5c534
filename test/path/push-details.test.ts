// Whose details a POST carries: authentication, headers, signature and trace; the job's own endpoint replaces the account's.
import { afterAll, beforeAll, expect, it } from "vitest";
import { Webhook } from "standardwebhooks";
import type { EndpointSettings } from "#shared/routing/configuration.ts";
import type { Endpoint, RecordedRequest } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone, TestJob } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";

const SECRET = `whsec_${Buffer.from("a secret of thirty-two bytes ....").toString("base64")}`;
const PREVIOUS = `whsec_${Buffer.from("the secret that was before it ...").toString("base64")}`;
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let notifier: NotifierAlone;
let endpoint: Endpoint;
let other: Endpoint;

beforeAll(async () => {
  notifier = await startNotifier();
  endpoint = await startEndpoint();
  other = await startEndpoint();
});

afterAll(async () => {
  await notifier.stop();
  await endpoint.close();
  await other.close();
});

async function postOf(at: Endpoint, job: TestJob): Promise<RecordedRequest> {
  await notifier.publish(job.life(0));
  return eventually(() => at.requests.find(({ body }) => body.meta.jobId === job.head.jobId));
}

function settings(): EndpointSettings {
  return {
    url: endpoint.url,
    headers: [
      { name: "X-Tenant", value: "blue" },
      { name: "X-Api-Key", value: notifier.sealer.seal("very secret"), isSealed: true },
      { name: "Host", value: "evil.example.net" },
      { name: "Content-Length", value: "1" },
      { name: "Webhook-Id", value: "mine" },
      { name: "webhook-signature", value: "v1,forged" },
    ],
    authentication: { method: "BASIC", user: "user", password: notifier.sealer.seal("pass:word") },
    signingSecret: notifier.sealer.seal(SECRET),
    previousSigningSecret: notifier.sealer.seal(PREVIOUS),
  };
}

it("carries Basic authentication and custom headers, but no Host, length, signature or id of the customer's", async () => {
  const post = await postOf(endpoint, testJob(await notifier.account(settings())));
  expect(post.method).toBe("POST");
  expect(post.headers["content-type"]).toBe("application/json");
  expect(post.headers["authorization"]).toBe(`Basic ${Buffer.from("user:pass:word").toString("base64")}`);
  expect(post.headers["x-tenant"]).toBe("blue");
  expect(post.headers["x-api-key"]).toBe("very secret");
  expect(post.headers["host"]).toBe(new URL(endpoint.url).host);
  expect(post.headers["content-length"]).toBe(String(post.raw.length));
  expect(post.headers["webhook-id"]).toMatch(/^msg_[0-9a-f]{32}$/);
});

it("is signed so that both secrets verify during a rotation, and no changed body does", async () => {
  const post = await postOf(endpoint, testJob(await notifier.account(settings())));
  const body = post.raw.toString("utf8");
  for (const secret of [SECRET, PREVIOUS]) {
    expect(new Webhook(secret).verify(body, post.headers)).toEqual(post.body);
    expect(() => new Webhook(secret).verify(`${body} `, post.headers)).toThrow("No matching signature found");
  }
});

it("is not signed where the account has no signing secret", async () => {
  const post = await postOf(endpoint, testJob(await notifier.account({ url: endpoint.url })));
  expect(post.headers["webhook-signature"]).toBeUndefined();
  expect(post.headers["webhook-id"]).toBeDefined();
});

it("goes to the job's own endpoint with the job's details as a whole", async () => {
  const sealed = notifier.sealer.seal(
    JSON.stringify({
      url: other.url,
      headers: { "X-Job": "1" },
      authentication: { method: "BASIC", user: "j", password: "p" },
    }),
  );
  const post = await postOf(other, testJob(await notifier.account(settings()), 1, { endpoint: sealed }));
  expect(post.headers["authorization"]).toBe(`Basic ${Buffer.from("j:p").toString("base64")}`);
  expect(post.headers["x-job"]).toBe("1");
  expect(post.headers["x-tenant"]).toBeUndefined();
  expect(post.headers["webhook-signature"]).toBeUndefined();
  expect(endpoint.requests.some(({ body }) => body.meta.jobId === post.body.meta.jobId)).toBe(false);
});

it("continues the job's trace", async () => {
  const job = testJob(await notifier.account({ url: endpoint.url }), 1, { traceparent: TRACEPARENT });
  const post = await postOf(endpoint, job);
  expect(post.headers["traceparent"]).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-0[01]$/);
  const mail = await eventually(() => notifier.reader.mail(job.mails[0]?.mailId ?? ""));
  expect(mail.traceId).toBe("0af7651916cd43dd8448eb211c80319c");
});

it("posts one sample of each tracking point when an operator tries an endpoint", async () => {
  const account = await notifier.account(settings());
  const reply = await notifier.command({ command: "test-endpoint", account: account._id, url: other.url });
  expect(reply).toMatchObject({ status: "done", result: { samples: Array(12).fill({ ok: true, status: 200 }) } });
  const posts = other.requests.filter(
    ({ body }) => body.meta.account === account._id && body.meta.jobId.startsWith("test-"),
  );
  const points = posts.map(({ body }) => body.notifications.map(({ meta }) => meta.event));
  expect(points.every((events) => events.length === 1)).toBe(true);
  expect(new Set(points.flat().map(({ type, subType, phase }) => `${phase}/${type}/${subType}`)).size).toBe(12);
  for (const { headers, raw, body } of posts) {
    expect(headers["authorization"]).toBeUndefined();
    expect(new Webhook(SECRET).verify(raw.toString("utf8"), headers)).toEqual(body);
  }
});

it("writes one log line for each POST, with the ids of job, mail and trace, and no address", async () => {
  const job = testJob(await notifier.account({ url: endpoint.url }), 1, { traceparent: TRACEPARENT });
  await postOf(endpoint, job);
  const line = await eventually(() =>
    notifier.system.logs("notifier").find((entry) => entry["jobId"] === job.head.jobId),
  );
  expect(line).toMatchObject({
    event: "notification.posted",
    mailIds: [job.mails[0]?.mailId],
    attempt: 1,
    status: 200,
    trace_id: "0af7651916cd43dd8448eb211c80319c",
  });
  expect(notifier.system.process("notifier").log()).not.toContain("@example.com");
});
