// Operator contract, REST submission: a test for each sentence.
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "#test/support/eventually.ts";
import type { JobParts } from "#test/support/job.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import type { RelayedSystem } from "#test/support/relayed-system.ts";
import { startRelayedSystem } from "#test/support/relayed-system.ts";
import type { System } from "#test/support/system.ts";
import type { TestAccount } from "#test/support/system-client.ts";
import { basicOf } from "#test/support/system-client.ts";

let system: System;
let relay: MailServer;
let account: TestAccount;
let stop: RelayedSystem["stop"];
let count = 0;

beforeAll(async () => {
  ({ system, relay, account, stop } = await startRelayedSystem());
});
afterAll(() => stop());

function recipient(): string {
  count += 1;
  return `rest-${count}@recipient.example`;
}

const job = (parts: JobParts = {}): object => jobOf(account, [recipient()], parts);
const base64 = (bytes: Buffer): string => bytes.toString("base64");

/** What the server says to a request that waits for `100 Continue` before its body. */
async function expectContinue(headers: Record<string, string>, body = ""): Promise<string> {
  const { hostname, port } = new URL(system.httpUrl);
  const socket = connect({ host: hostname, port: Number(port) });
  let said = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    said += text;
    if (/^HTTP\/1.1 100 [^\r]*\r\n\r\n$/.test(said)) socket.write(body);
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const fields = { host: "waypost", connection: "close", expect: "100-continue", ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /v1/jobs HTTP/1.1\r\n${lines.join("")}\r\n`);
  await closed;
  return said;
}

/** A POST whose headers say what fetch would not let be said. */
function post(headers: Record<string, string>, body = ""): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const options = { method: "POST", agent: false, headers: { authorization: basicOf(account), ...headers } };
    const request = httpRequest(`${system.httpUrl}/v1/jobs`, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

describe("what is refused", () => {
  const json = { "content-type": "application/json" };

  it.each(["", "{", "nonsense", '{"subject":'])("answers 400 to %j, which is no JSON", async (body) => {
    expect((await system.submit(account, body)).status).toBe(400);
  });

  it("answers 400 to bytes that are no UTF-8", async () => {
    const body = Buffer.from([0x22, 0xff, 0x22]);
    const response = await fetch(`${system.httpUrl}/v1/jobs`, {
      method: "POST",
      headers: { ...json, authorization: basicOf(account) },
      body,
    });
    expect(response.status).toBe(400);
  });

  it("answers 401 to no, malformed and wrong credentials alike", async () => {
    const other = await system.account();
    const wrong = [
      undefined,
      "Basic",
      "Basic ###",
      "Bearer x",
      basicOf({ name: "nobody", password: "x" }),
      basicOf({ name: other.name, password: "x" }),
    ];
    for (const authorization of wrong) {
      const headers = authorization === undefined ? json : { ...json, authorization };
      const response = await fetch(`${system.httpUrl}/v1/jobs`, { method: "POST", headers, body: "{}" });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain("Basic");
    }
  });

  it("answers 403 to a foreign source IP", async () => {
    const foreign = await system.account({ sourceIps: ["192.0.2.0/24", "2001:db8::/32"] });
    expect((await system.submit(foreign, job())).status).toBe(403);
    const home = await system.account({ sourceIps: ["127.0.0.0/8"] });
    expect((await system.submit(home, jobOf(home, [recipient()]))).status).toBe(202);
  });

  it("answers 413 to a request over 32 MiB without having read it", async () => {
    const answer = await post({ ...json, "content-length": String(33 * 1024 * 1024) }, "x".repeat(1_000));
    expect(answer).toMatchObject({ status: 413 });
    const whole = await system.submit(account, "x".repeat(33 * 1024 * 1024));
    expect(whole.status).toBe(413);
    const chunked = await post({ ...json, "transfer-encoding": "chunked" }, "x".repeat(33 * 1024 * 1024));
    expect(chunked.status).toBe(413);
  });

  it("asks for a body that is announced only where it would read it: 413 and 401 come straight away", async () => {
    const authorization = basicOf(account);
    const large = { ...json, "content-length": String(33 * 1024 * 1024) };
    expect(await expectContinue({ ...large, authorization })).toMatch(/^HTTP\/1.1 413 /);
    expect(await expectContinue(large)).toMatch(/^HTTP\/1.1 401 /);
    const body = JSON.stringify(job());
    const length = String(Buffer.byteLength(body));
    const said = await expectContinue({ ...json, authorization, "content-length": length }, body);
    expect(said).toMatch(/^HTTP\/1.1 100 [^]*HTTP\/1.1 202 /);
  });

  it("answers 413 to a mail over 20,971,520 bytes as MIME, and relays one below", async () => {
    const attachment = (bytes: number): JobParts => ({
      attachments: [{ name: "b", content: base64(Buffer.alloc(bytes)) }],
    });
    expect((await system.submit(account, job(attachment(15_500_000)))).status).toBe(413);
    const to = recipient();
    await system.accept(account, jobOf(account, [to], attachment(15_000_000)));
    const mail = await eventually(() => relay.accepted.find((item) => item.to.includes(to)));
    expect(mail.raw.length).toBeGreaterThan(20_000_000);
  });

  it("answers 415 to another media type, charset or content encoding", async () => {
    const body = JSON.stringify(job());
    const types: Record<string, string>[] = [
      { "content-type": "text/plain" },
      { "content-type": "application/x-www-form-urlencoded" },
      { "content-type": "application/json; charset=iso-8859-1" },
      { "content-type": "application/json", "content-encoding": "gzip" },
    ];
    for (const headers of types) expect((await system.submit(account, body, headers)).status).toBe(415);
    expect((await system.submit(account, body, { "content-type": "application/json; charset=utf-8" })).status).toBe(
      202,
    );
  });

  it("answers 422 to a sender domain of someone else", async () => {
    const other = await system.account();
    const answer = await system.submit(account, jobOf(other, [recipient()]));
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: "mail.from.email" }] } });
    const both = await system.submit(account, { ...jobOf(other, [recipient()]), subject: undefined });
    expect(both).toMatchObject({ status: 422, body: { errors: [{ path: "mail.from.email" }, { path: "subject" }] } });
  });

  it("answers 404 and 405 elsewhere", async () => {
    expect((await fetch(`${system.httpUrl}/v1/nothing`)).status).toBe(404);
    const send = async (method: string, path: string): Promise<[number, string | null]> => {
      const response = await fetch(`${system.httpUrl}${path}`, { method });
      return [response.status, response.headers.get("allow")];
    };
    for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
      expect([method, ...(await send(method, "/v1/jobs"))]).toEqual([method, 405, "POST"]);
    expect(await send("POST", "/openapi.json")).toEqual([405, "GET, HEAD"]);
  });
});

describe("Idempotency-Key", () => {
  it("answers the same job id and sends nothing twice", async () => {
    const to = recipient();
    const body = jobOf(account, [to]);
    const key = { "idempotency-key": "key-1" };
    const first = await system.accept(account, body, key);
    expect(await system.accept(account, body, key)).toBe(first);
    const [mail] = await system.mailsOf(first);
    await system.ended(mail?.mailId ?? "");
    expect(relay.accepted.filter((item) => item.to.includes(to))).toHaveLength(1);
  });

  it("is an account's own", async () => {
    const other = await system.account();
    const key = { "idempotency-key": "key-2" };
    const first = await system.accept(account, job(), key);
    expect(await system.accept(other, jobOf(other, [recipient()]), key)).not.toBe(first);
  });

  it("with another body answers 422", async () => {
    const key = { "idempotency-key": "key-3" };
    await system.accept(account, job(), key);
    expect((await system.submit(account, job(), key)).status).toBe(422);
  });

  it("while the first is in progress answers 409; all others get the one job id", async () => {
    const body = jobOf(account, [recipient()]);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => system.submit(account, body, { "idempotency-key": "key-4" })),
    );
    const accepted = answers.filter(({ status }) => status === 202);
    expect(answers.every(({ status }) => status === 202 || status === 409)).toBe(true);
    expect(new Set(accepted.map((answer) => answer.body["jobId"])).size).toBe(1);
  });

  it("is free again after a refusal", async () => {
    const key = { "idempotency-key": "key-5" };
    const wrong = await system.submit(account, jobOf({ ...account, sender: "x@else.example" }, [recipient()]), key);
    expect(wrong.status).toBe(422);
    await system.accept(account, job(), key);
  });

  it("that is too long answers 422", async () =>
    expect((await system.submit(account, job(), { "idempotency-key": "x".repeat(256) })).status).toBe(422));
});

describe("limits", () => {
  it("answers 429 with Retry-After over jobsPerSecond", async () => {
    const limited = await system.account({ limits: { jobsPerSecond: 1 } });
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => system.submit(limited, jobOf(limited, [recipient()]))),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(3);
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  });

  it("answers 429 with Retry-After over waitingMails", async () => {
    const limited = await system.account({ limits: { waitingMails: 3 } });
    await system.relay(limited, { host: "nothing.relay.test", port: 1 });
    await system.accept(limited, jobOf(limited, [recipient(), recipient()]));
    const answer = await system.submit(limited, jobOf(limited, [recipient(), recipient()]));
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    await system.accept(limited, jobOf(limited, [recipient()]));
  });

  it("answers 429 after 10 failed logins of an account from an address; other accounts go on", async () => {
    const attacked = await system.account();
    const wrong = { ...attacked, password: "wrong" };
    for (let tries = 0; tries < 10; tries += 1) expect((await system.submit(wrong, job())).status).toBe(401);
    const answer = await system.submit(attacked, jobOf(attacked, [recipient()]));
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    await system.accept(account, job());
  });
});

describe("described", () => {
  it("by OpenAPI 3.1 with every status", async () => {
    const answer = await fetch(`${system.httpUrl}/openapi.json`);
    const document = (await answer.json()) as {
      openapi: string;
      paths: Record<string, { post: { responses: Record<string, object> } }>;
      components: { schemas: { JobRequest: { required: string[] } } };
    };
    expect(document.openapi).toMatch(/^3\.1/);
    const statuses = ["202", "400", "401", "403", "408", "409", "413", "415", "422", "429", "431", "503"];
    expect(Object.keys(document.paths["/v1/jobs"]?.post.responses ?? {})).toEqual(expect.arrayContaining(statuses));
    expect(document.components.schemas.JobRequest.required).toEqual(["subject", "recipients", "mail"]);
  });
});

it("an account that is removed refuses new jobs", async () => {
  const gone = await system.account();
  await system.accept(gone, jobOf(gone, [recipient()]));
  await system.control.delete(`/v1/accounts/${gone.name}`);
  const refused = await eventually(async () => {
    const answer = await system.submit(gone, jobOf(gone, [recipient()]));
    return answer.status === 202 ? undefined : answer;
  });
  expect(refused.status).toBe(401);
});
