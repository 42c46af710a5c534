// Tracking points become POSTs: by endpoint and job, full or after the linger, in the order of each mail's life.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";

let notifier: NotifierAlone;
let endpoint: Endpoint;

beforeAll(async () => {
  notifier = await startNotifier({ WAYPOST_NOTIFY_LINGER: "2s", WAYPOST_NOTIFY_BATCH: "100" });
  endpoint = await startEndpoint();
});

afterAll(async () => {
  await notifier.stop();
  await endpoint.close();
});

const tagsOf = (jobId: string): string[] =>
  endpoint.notifications.filter(({ job }) => job.jobId === jobId).map(({ meta }) => meta.tag);
const postsOf = (jobId: string) => endpoint.requests.filter(({ body }) => body.meta.jobId === jobId);

it("posts the whole life of a mail in one batch, at once, in order", async () => {
  const job = testJob(await notifier.account({ url: endpoint.url }));
  const began = Date.now();
  await notifier.publish(job.life(0));
  await eventually(() => tagsOf(job.head.jobId).length === 3);
  expect(Date.now() - began).toBeLessThan(1_900);
  expect(postsOf(job.head.jobId)).toHaveLength(1);
  expect(endpoint.of(job.mails[0]?.mailId ?? "").map(({ meta }) => meta.event.type)).toEqual([
    "STARTED",
    "PROCESSED",
    "DELIVERED",
  ]);
});

it("posts at most WAYPOST_NOTIFY_BATCH notifications at once, and never two jobs together", async () => {
  const account = await notifier.account({ url: endpoint.url });
  const [first, second] = [testJob(account, 40), testJob(account, 40)];
  const events = first.mails.flatMap((_, index) => [...first.life(index), ...second.life(index)]);
  await notifier.publish(events);
  await eventually(() => tagsOf(first.head.jobId).length === 120 && tagsOf(second.head.jobId).length === 120);
  for (const job of [first, second]) {
    const sizes = postsOf(job.head.jobId).map(({ body }) => body.notifications.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
    expect(new Set(tagsOf(job.head.jobId)).size).toBe(120);
  }
});

it("does not hold a point longer than WAYPOST_NOTIFY_LINGER while others of its job keep coming", async () => {
  const job = testJob(await notifier.account({ url: endpoint.url }), 1_000);
  const began = Date.now();
  let index = 0;
  const [first] = await eventually(async () => {
    await notifier.publish([job.event(index, { point: "DEFERRED" })]);
    index += 1;
    const posts = postsOf(job.head.jobId);
    return posts.length > 0 ? posts : undefined;
  });
  expect(first?.body.notifications.length).toBeGreaterThan(1);
  expect(first?.at ?? 0).toBeLessThan(began + 4_000);
});

it("records what an account without an endpoint is not told", async () => {
  const job = testJob(await notifier.account());
  await notifier.publish(job.life(0));
  const mail = await eventually(async () => {
    const found = await notifier.reader.mail(job.mails[0]?.mailId ?? "");
    return found?.state === "FINISHED" ? found : undefined;
  });
  expect(mail.notifications).toEqual([]);
  expect(await notifier.reader.awaitsNotification(job.head.account)).toBe(false);
});
