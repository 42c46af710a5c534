// What a service exports, by OpenTelemetry's own variables alone; broker spans as the messaging conventions have them.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { QUEUES } from "#shared/broker/topology.ts";
import type { EchoProcess } from "#test/support/echo-process.ts";
import { startEcho } from "#test/support/echo-process.ts";
import { eventually, never } from "#test/support/eventually.ts";
import type { OtlpReceiver } from "#test/support/otlp-receiver.ts";
import { startOtlpReceiver } from "#test/support/otlp-receiver.ts";
import { numberedContracts, toDue } from "#test/support/runtime.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const SAMPLED = `00-${TRACE}-${CALLER}-01`;
const UNSAMPLED = `00-${TRACE}-${CALLER}-00`;
const SOON = { OTEL_BSP_SCHEDULE_DELAY: "100", OTEL_METRIC_EXPORT_INTERVAL: "200" };

async function receiver(): Promise<OtlpReceiver> {
  const started = await startOtlpReceiver();
  onTestFinished(() => started.close());
  return started;
}

async function sendOne(echo: EchoProcess, traceparent: string): Promise<void> {
  await echo.untilReady();
  await eventually(() => echo.broker.ready);
  await echo.broker.publish([toDue(1, { messageId: "m-1", traceparent })]);
  await eventually(async () => (await echo.broker.depth(QUEUES.attempts)) === 1);
}

it.each([
  ["grpc", "grpcUrl"],
  ["http/protobuf", "httpUrl"],
  ["http/json", "httpUrl"],
] as const)("exports its spans over OTLP by %s, in the caller's trace", async (protocol, url) => {
  const collector = await receiver();
  const echo = await startEcho({
    ...SOON,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector[url],
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_METRICS_EXPORTER: "none",
  });
  await sendOne(echo, SAMPLED);

  await eventually(() => collector.ofTrace(TRACE).length >= 2);
  const spans = collector.ofTrace(TRACE);
  const consume = spans.find(({ name }) => name === "consume router.due");
  const publish = spans.find(({ name }) => name === "publish waypost.attempts");
  expect(consume).toMatchObject({
    kind: "CONSUMER",
    parentSpanId: CALLER,
    service: "waypost-retry-scheduler",
    attributes: {
      "messaging.system": "rabbitmq",
      "messaging.operation.name": "consume",
      "messaging.operation.type": "process",
      "messaging.destination.name": "waypost.due:lane:router.due",
      "messaging.rabbitmq.destination.routing_key": "lane",
      "messaging.message.id": "m-1",
      "server.address": "127.0.0.1",
    },
  });
  expect(publish).toMatchObject({
    kind: "PRODUCER",
    parentSpanId: consume?.spanId,
    attributes: {
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
      "messaging.destination.name": "waypost.attempts:deferred",
    },
  });
});

it("exports nothing without an endpoint, and hands the caller's context on all the same", async () => {
  const collector = await receiver();
  const echo = await startEcho({ ...SOON, OTEL_TRACES_EXPORTER: "otlp" });
  await sendOne(echo, SAMPLED);
  let context: string | undefined;
  echo.broker.start({
    mailbox: QUEUES.attempts,
    contracts: numberedContracts,
    prefetch: 1,
    handle: async ({ traceparent }) => {
      context = traceparent;
      return { kind: "done", publish: [] };
    },
  });
  expect(await eventually(() => context)).toBe(SAMPLED);
  await never(() => collector.spans.length > 0, 300);
});

it("keeps the decision in the flags of a context, and samples as OTEL_TRACES_SAMPLER says", async () => {
  const collector = await receiver();
  const echo = await startEcho({ ...SOON, OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl });
  await sendOne(echo, UNSAMPLED);
  await never(() => collector.ofTrace(TRACE).length > 0, 500);

  const off = await startEcho({
    ...SOON,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_TRACES_SAMPLER: "always_off",
  });
  await sendOne(off, SAMPLED);
  await never(() => collector.ofTrace(TRACE).length > 0, 500);
  expect(collector.ofTrace(TRACE)).toEqual([]);
});

it("is called what OTEL_SERVICE_NAME says, with OTEL_RESOURCE_ATTRIBUTES", async () => {
  const collector = await receiver();
  const echo = await startEcho({
    ...SOON,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_SERVICE_NAME: "post-office",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
  });
  await sendOne(echo, SAMPLED);
  const span = await eventually(() => collector.ofTrace(TRACE)[0]);
  expect(span.service).toBe("post-office");
  expect(span.resource["deployment.environment.name"]).toBe("test");
});

it("exports nothing with OTEL_SDK_DISABLED, and still shows its metrics", async () => {
  const collector = await receiver();
  const echo = await startEcho({
    ...SOON,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_SDK_DISABLED: "true",
  });
  await sendOne(echo, SAMPLED);
  await never(() => collector.spans.length > 0, 500);
  expect((await echo.get("/metrics")).text).toContain("messaging_client_sent_messages_total");
});

it("pushes metrics to the endpoint, unless OTEL_METRICS_EXPORTER says none", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    request.resume().on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const common = { ...SOON, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: "none" };

  const silent = await startEcho({ ...common, OTEL_METRICS_EXPORTER: "none" });
  await silent.untilReady();
  await never(() => asked.length > 0, 500);
  const pushing = await startEcho(common);
  await pushing.untilReady();

  expect(await eventually(() => asked[0])).toBe("/v1/metrics");
});
