// An endpoint that hangs or fails holds up no other, and has a bound on what is posted to it at once.
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { Account } from "#shared/routing/configuration.ts";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";
import { MOST_IN_FLIGHT } from "../../services/notifier/health.ts";

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

/** Median ms from tracking points to their POST. */
async function lagOf(account: Account, rounds = 15): Promise<number> {
  const lags: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const job = testJob(account);
    const began = Date.now();
    await notifier.publish(job.life(0));
    const [first] = await eventually(() => {
      const found = healthy.of(job.mails[0]?.mailId ?? "");
      return found.length === 3 ? found : undefined;
    });
    lags.push((first?.at ?? Infinity) - began);
  }
  return lags.toSorted((a, b) => a - b)[lags.length >> 1] ?? Infinity;
}

it("posts to a healthy endpoint at once while 300 batches wait for one that hangs", async () => {
  const bad = await notifier.account({ url: hanging.url });
  const good = await notifier.account({ url: healthy.url });
  const alone = await lagOf(good);
  const jobs = Array.from({ length: 300 }, () => testJob(bad));
  await notifier.publish(jobs.flatMap((job) => job.life(0)));
  await eventually(() => hanging.openConnections > 0);
  // Held up by the others it would take as long as they hang: 10 s.
  expect(await lagOf(good)).toBeLessThan(Math.max(2_000, 5 * alone));
  // The first of the single tries that follow may meet the last of the bound that is just closing.
  expect(hanging.mostConnections).toBeLessThanOrEqual(MOST_IN_FLIGHT + 1);
});

it("tells all of them once it answers again", async () => {
  hanging.script = () => undefined;
  const told = () => new Set(hanging.acknowledged.map(({ meta }) => meta.tag));
  await eventually(() => told().size >= 900, 50_000);
  expect(told().size).toBe(900);
});

it("posts to a healthy endpoint at once while the jobs of an account name 600 endpoints that hang", async () => {
  const silent = await startEndpoint(() => ({ hang: true }));
  onTestFinished(() => silent.close());
  const bad = await notifier.account();
  const good = await notifier.account({ url: healthy.url });
  const jobs = Array.from({ length: 600 }, (_, n) => {
    const endpoint = notifier.sealer.seal(JSON.stringify({ url: `${silent.url}/${n}` }));
    return testJob(bad, 1, { endpoint });
  });
  await notifier.publish(jobs.flatMap((job) => job.life(0)));
  await eventually(() => silent.openConnections >= 150);
  expect(await lagOf(good, 1)).toBeLessThan(4_000);
});
