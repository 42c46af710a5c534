// What the record makes of tracking points on real parts: out of order, repeated, contradicting; its mark, metrics and trace.
import { afterAll, beforeAll, expect, it } from "vitest";
import { createRecordMarks } from "#shared/store/marks.ts";
import { mailsOf } from "#shared/store/mails.ts";
import { anAttempt } from "#test/support/build-mail.ts";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone, TestJob } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";
import type { OtlpReceiver } from "#test/support/otlp-receiver.ts";
import { startOtlpReceiver } from "#test/support/otlp-receiver.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";

let notifier: NotifierAlone;
let endpoint: Endpoint;
let collector: OtlpReceiver;

beforeAll(async () => {
  collector = await startOtlpReceiver();
  notifier = await startNotifier({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_METRICS_EXPORTER: "none",
    OTEL_BSP_SCHEDULE_DELAY: "100",
    WAYPOST_RETENTION: "5d",
  });
  endpoint = await startEndpoint();
});

afterAll(async () => {
  await notifier.stop();
  await Promise.all([endpoint.close(), collector.close()]);
});

const newJob = async (mails = 1, head: Parameters<typeof testJob>[2] = {}) =>
  testJob(await notifier.account({ url: endpoint.url }), mails, head);

const recordOf = (job: TestJob, points: number) =>
  eventually(async () => {
    const mail = await notifier.reader.mail(job.mails[0]?.mailId ?? "");
    return mail?.trackingPoints.length === points ? mail : undefined;
  });

it("ends as DELIVERED though STARTED and PROCESSED arrive after the end", async () => {
  const job = await newJob();
  const [started, processed, delivered] = job.life(0);
  for (const event of [delivered, processed, started]) {
    if (event === undefined) throw new Error("a life has three points");
    await notifier.publish([event]);
  }
  const mail = await recordOf(job, 3);
  expect(mail).toMatchObject({
    state: "FINISHED",
    type: "DELIVERED",
    route: { kind: "relay", host: "relay.example.net" },
  });
  expect(mail.trackingPoints.map(({ meta }) => meta.event.type)).toEqual(["STARTED", "PROCESSED", "DELIVERED"]);
});

it("records a repeated point once, and tells it again with the same tag", async () => {
  const job = await newJob();
  const life = job.life(0);
  await notifier.publish(life);
  await recordOf(job, 3);
  await eventually(() => endpoint.of(job.mails[0]?.mailId ?? "").length === 3);
  await notifier.publish(life);
  await eventually(() => endpoint.of(job.mails[0]?.mailId ?? "").length === 6);
  expect(new Set(endpoint.of(job.mails[0]?.mailId ?? "").map(({ meta }) => meta.tag)).size).toBe(3);
  await recordOf(job, 3);
});

it("tells an end once that somebody came to again, and shows its last attempt once", async () => {
  const job = await newJob();
  const attempt = anAttempt();
  const record = { lane: attempt.lane, relay: "relay.example.net", attempt };
  const deferred = job.event(0, { point: "DEFERRED", record });
  await notifier.publish([...job.life(0).slice(0, 2), deferred]);
  await recordOf(job, 3);
  const mailId = job.mails[0]?.mailId ?? "";
  await notifier.publish([job.event(0, { point: "SOFT_BOUNCE", record })]);
  await eventually(() => endpoint.of(mailId).length === 4);
  await notifier.publish([job.event(0, { point: "SOFT_BOUNCE", record, at: new Date(Date.now() + 1_000) }), deferred]);
  // What was published with it is told again: by then the end would have been, too.
  await eventually(() => endpoint.of(mailId).length === 5);
  expect(endpoint.of(mailId).filter(({ meta }) => meta.event.state === "FINISHED")).toHaveLength(1);
  expect((await recordOf(job, 4)).attempts).toHaveLength(1);
});

it("keeps a second, different end as late: counted, never told", async () => {
  const job = await newJob();
  await notifier.publish(job.life(0));
  await recordOf(job, 3);
  await notifier.publish([job.event(0, { point: "SOFT_BOUNCE", attempt: 9 })]);
  const late = await eventually(async () => (await notifier.reader.mail(job.mails[0]?.mailId ?? ""))?.late);
  expect(late[0]?.meta.event.type).toBe("BOUNCED");
  await eventually(async () => /waypost_record_late\S* [1-9]/.test(await notifier.system.metrics("notifier")));
  expect(endpoint.of(job.mails[0]?.mailId ?? "").some(({ meta }) => meta.event.type === "BOUNCED")).toBe(false);
  const { late: offenders } = await notifier.reader.audit({ since: new Date(Date.now() - 60_000), now: new Date() });
  expect(offenders.map(({ mailId }) => mailId)).toContain(job.mails[0]?.mailId);
});

it("keeps a mail for WAYPOST_RETENTION from its reception", async () => {
  const job = await newJob();
  await notifier.publish(job.life(0));
  await recordOf(job, 3);
  const kept = await mailsOf(notifier.store).findOne({ jobId: job.head.jobId });
  expect((kept?.expiresAt.getTime() ?? 0) - (kept?.receivedAt.getTime() ?? 0)).toBe(5 * 86_400_000);
});

it("states a mark that is young while it keeps up", async () => {
  const marks = createRecordMarks(notifier.store);
  const began = Date.now();
  const mark = await eventually(async () => {
    const found = await marks.recordedUpTo(new Date());
    return (found?.getTime() ?? 0) >= began ? found : undefined;
  });
  expect(mark.getTime()).toBeLessThanOrEqual(Date.now());
});

it("gives the POST a span whose parent is the job's own context", async () => {
  const job = await newJob(1, { traceparent: `00-${TRACE}-${CALLER}-01` });
  await notifier.publish(job.life(0));
  const span = await eventually(() => collector.ofTrace(TRACE).find(({ name }) => name === "POST"));
  expect(span).toMatchObject({
    kind: "CLIENT",
    parentSpanId: CALLER,
    service: "waypost-notifier",
    attributes: {
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "server.address": endpoint.address,
      "server.port": endpoint.port,
      "waypost.job.id": job.head.jobId,
    },
  });
  // On a busy machine the points are told by more than one POST, whose spans come in any order.
  const posts = endpoint.requests.filter(({ body }) => body.meta.jobId === job.head.jobId);
  expect(posts.map(({ headers }) => headers["traceparent"])).toContain(`00-${TRACE}-${span.spanId}-01`);
});

it("shows its figures at /metrics", async () => {
  const metrics = await notifier.system.metrics("notifier");
  for (const name of [
    "notification_lag",
    "notification_posts",
    "record_points",
    "record_late",
    "endpoints",
    "mail_duration",
  ]) {
    expect(metrics).toContain(`waypost_${name}`);
  }
});

it("tells what it held when it is stopped by SIGTERM, and loses nothing", async () => {
  const job = await newJob(50);
  await notifier.publish(
    job.mails.map((_, index) => job.event(index, { point: "STARTED", attempt: 0, record: { mails: 50 } })),
  );
  await notifier.system.kill("notifier", { signal: "SIGTERM" });
  expect((await notifier.system.process("notifier").exited).code).toBe(0);
  await notifier.system.restart("notifier");
  const told = () =>
    new Set(endpoint.notifications.filter((item) => item.job.jobId === job.head.jobId).map(({ meta }) => meta.tag));
  await eventually(() => told().size === 50);
  expect(told().size).toBe(50);
});
