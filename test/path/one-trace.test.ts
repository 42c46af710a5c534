// One trace from the caller's traceparent through ingest, router and delivery to the POST at the customer's endpoint.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import type { MailServer } from "#test/support/mail-server.ts";
import { startMailServer } from "#test/support/mail-server.ts";
import type { OtlpReceiver, ReceivedSpan } from "#test/support/otlp-receiver.ts";
import { startOtlpReceiver } from "#test/support/otlp-receiver.ts";
import type { System } from "#test/support/system.ts";
import { startSystem } from "#test/support/system.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";

let collector: OtlpReceiver;
let endpoint: Endpoint;
let relay: MailServer;
let system: System;

beforeAll(async () => {
  collector = await startOtlpReceiver();
  endpoint = await startEndpoint();
  relay = await startMailServer();
  system = await startSystem({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_TRACES_SAMPLER: "always_on",
    },
  });
});
afterAll(async () => {
  await system.stop();
  await Promise.all([relay.close(), endpoint.close(), collector.close()]);
});

const stepsOf = (span: ReceivedSpan | undefined): string[] | undefined =>
  span?.events.map(({ name }) => name.replace("waypost.smtp.", ""));

it("holds ingest, router, delivery, and every POST with its traceparent", async () => {
  const account = await system.account({ notification: { url: endpoint.url } });
  await system.relay(account, relay);
  const traceparent = `00-${TRACE_ID}-${CALLER}-01`;
  const jobId = await system.accept(account, jobOf(account, ["to@recipient.example"]), { traceparent });
  const [mail] = await system.mailsOf(jobId);
  const record = await system.ended(mail?.mailId ?? "");
  expect(record.traceId).toBe(TRACE_ID);
  const services = ["waypost-ingest", "waypost-router", "waypost-delivery", "waypost-notifier"];
  const spans = await eventually(() => {
    const found = collector.ofTrace(TRACE_ID);
    return services.every((service) => found.some((span) => span.service === service)) ? found : undefined;
  }, 30_000);
  const submission = spans.find(({ name }) => name === "POST /v1/jobs");
  expect(submission).toMatchObject({ parentSpanId: CALLER, attributes: { "http.response.status_code": 202 } });
  const attempt = spans.find(({ name }) => name === "send smtp");
  const transaction = ["mail", "rcpt", "data", "dot"];
  expect(stepsOf(attempt)).toEqual(["resolve", "connect", "greeting", "ehlo", ...transaction]);
  const posted = await eventually(() => endpoint.requests.find(({ headers }) => headers["traceparent"] !== undefined));
  expect(String(posted.headers["traceparent"])).toContain(TRACE_ID);
});

it("tells the steps of its own mail only, where a connection is used again", async () => {
  const account = await system.account({ notification: { url: endpoint.url } });
  await system.relay(account, relay);
  const send = async (): Promise<string[] | undefined> => {
    const jobId = await system.accept(account, jobOf(account, ["to@recipient.example"]));
    const [mail] = await system.mailsOf(jobId);
    const { traceId = "" } = await system.ended(mail?.mailId ?? "");
    return eventually(() => stepsOf(collector.ofTrace(traceId).find(({ name }) => name === "send smtp")), 30_000);
  };
  expect(await send()).toContain("connect");
  expect(await send()).toEqual(["mail", "rcpt", "data", "dot"]);
});
