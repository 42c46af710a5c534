// An endpoint that hangs or fails holds up no other, and has a bound on what is posted to it at once.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";

let notifier: NotifierAlone;
let healthy: Endpoint;
let hanging: Endpoint;

beforeAll(async () => {
  notifier = await startNotifier({ WAYPOST_NOTIFY_SCHEDULE: "1s,5s" });
  healthy = await startEndpoint();
  hanging = await startEndpoint(() => ({ hang: true }));
});

afterAll(async () => {
  await notifier.stop();
  await healthy.close();
  await hanging.close();
});

it("posts to a healthy endpoint at once while 300 batches wait for one that hangs", async () => {
  const bad = await notifier.account({ url: hanging.url });
  const good = await notifier.account({ url: healthy.url });
  const jobs = Array.from({ length: 300 }, () => testJob(bad));
  await notifier.publish(jobs.flatMap((job) => job.life(0)));
  await eventually(() => hanging.openConnections > 0);
  for (let round = 0; round < 20; round += 1) {
    const job = testJob(good);
    const began = Date.now();
    await notifier.publish(job.life(0));
    const [first] = await eventually(() => {
      const found = healthy.of(job.mails[0]?.mailId ?? "");
      return found.length === 3 ? found : undefined;
    });
    expect((first?.at ?? Infinity) - began).toBeLessThan(3_000);
  }
  expect(hanging.openConnections).toBeLessThanOrEqual(32);
});

it("tells all of them once it answers again", async () => {
  hanging.script = () => undefined;
  const told = () => new Set(hanging.acknowledged.map(({ meta }) => meta.tag));
  await eventually(() => told().size >= 900, 50_000);
  expect(told().size).toBe(900);
});
