// 503 with Retry-After while the broker cannot confirm, within bounded time; no job is lost or made twice by it.
import { afterAll, beforeAll, expect, it } from "vitest";
import { uniqueLabel } from "#test/support/addresses.ts";
import type { ApiAnswer } from "#test/support/control-client.ts";
import { testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";
import type { TcpProxy } from "#test/support/tcp-proxy.ts";
import { startTcpProxy } from "#test/support/tcp-proxy.ts";

let proxy: TcpProxy;
let system: System;
let relay: MailServer;

beforeAll(async () => {
  const backing = testBacking();
  const url = new URL(backing.amqpUrl.split(",")[0] ?? "");
  proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.host = `127.0.0.1:${proxy.port}`;
  relay = await startMailServer();
  system = await startSystem({ backing: { ...backing, amqpUrl: url.toString() } });
});
afterAll(async () => {
  proxy.flow();
  await system.stop();
  await Promise.all([proxy.close(), relay.close()]);
});

function jobIdOf(answer: ApiAnswer): string {
  const jobId: unknown = answer.body["jobId"];
  return typeof jobId === "string" ? jobId : "";
}

it("answers 503 while no confirm comes, then the same job id for the same key, and relays once", async () => {
  const account = await system.account();
  await system.relay(account, relay);
  const recipient = `${uniqueLabel("to")}@recipient.example`;
  const job = jobOf(account, [recipient]);
  const submit = () => system.submit(account, job, { "idempotency-key": recipient });
  proxy.stall();
  const started = performance.now();
  const refused = await submit();
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(performance.now() - started).toBeLessThan(15_000);
  proxy.flow();
  const accepted = await eventually(async () => {
    const answer = await submit();
    return answer.status === 202 ? answer : undefined;
  }, 30_000);
  const jobId = jobIdOf(accepted);
  const [mail] = await eventually(() => system.mailsOf(jobId), 30_000);
  await system.ended(mail?.mailId ?? "", 30_000);
  expect(jobIdOf(await submit())).toBe(jobId);
  expect(relay.recipients.filter((to) => to === recipient)).toHaveLength(1);
}, 120_000);

it("answers the same job id after ingest was killed in the middle", async () => {
  const account = await system.account();
  await system.relay(account, relay);
  const recipients = Array.from({ length: 20 }, () => `${uniqueLabel("to")}@recipient.example`);
  const submit = (recipient: string) =>
    system.submit(account, jobOf(account, [recipient]), { "idempotency-key": recipient });
  const first = recipients.map((recipient) => submit(recipient).catch(() => undefined));
  await eventually(() => relay.recipients.some((to) => recipients.includes(to)));
  await system.kill("ingest");
  const before = await Promise.all(first);
  await system.restart("ingest");
  const after = await Promise.all(
    recipients.map((recipient) =>
      eventually(async () => {
        const answer = await submit(recipient);
        return answer.status === 202 ? jobIdOf(answer) : undefined;
      }, 30_000),
    ),
  );
  for (const [index, answer] of before.entries()) {
    if (answer?.status !== 202) continue;
    expect(after[index]).toBe(answer.body["jobId"]);
  }
  for (const jobId of after) {
    const [mail] = await system.mailsOf(jobId);
    await system.ended(mail?.mailId ?? "", 30_000);
  }
  for (const recipient of recipients) expect(relay.recipients.filter((to) => to === recipient)).toHaveLength(1);
}, 120_000);
