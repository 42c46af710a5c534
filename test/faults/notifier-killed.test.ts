// A notifier that is killed with -9 under load loses no tracking point, and repeats only with equal tags.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Endpoint } from "#test/support/endpoint.ts";
import { startEndpoint } from "#test/support/endpoint.ts";
import { eventually } from "#test/support/eventually.ts";
import type { NotifierAlone } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";

const JOBS = 400;
const MAILS = 3;
const KILLS = 3;

let notifier: NotifierAlone;
let endpoint: Endpoint;

beforeAll(async () => {
  notifier = await startNotifier({ WAYPOST_NOTIFY_LINGER: "500ms" }, { replicas: { notifier: 2 } });
  endpoint = await startEndpoint((_, count) => (count % 17 === 0 ? { status: 503 } : {}));
});

afterAll(async () => {
  await notifier.stop();
  await endpoint.close();
});

it("tells every point at least once, each under one tag, and records each once", async () => {
  const account = await notifier.account({ url: endpoint.url });
  const jobs = Array.from({ length: JOBS }, () => testJob(account, MAILS));
  const events = jobs.map((job) => job.mails.flatMap((_, index) => job.life(index)));
  const wanted = new Set(events.flat().map(({ body }) => body.notification.meta.tag));
  const third = Math.ceil(JOBS / KILLS);
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = endpoint.requests.length;
    const publishing = notifier.publish(events.slice(kill * third, (kill + 1) * third).flat());
    await eventually(() => endpoint.requests.length > before + 10);
    await notifier.system.kill("notifier", { replica: kill % 2 });
    await publishing;
    await notifier.system.restart("notifier");
  }
  const toldOf = () => new Set(endpoint.acknowledged.map(({ meta }) => meta.tag));
  await eventually(() => toldOf().size === wanted.size, 60_000);
  expect(toldOf()).toEqual(wanted);
  const told = new Map<string, string>();
  for (const { meta } of endpoint.notifications) {
    const fact = JSON.stringify([meta.mail.id, meta.event.type, meta.event.ts]);
    expect(told.get(meta.tag) ?? fact).toBe(fact);
    told.set(meta.tag, fact);
  }
  const recorded = await Promise.all(
    jobs.flatMap(({ mails }) => mails.map(({ mailId }) => notifier.reader.mail(mailId))),
  );
  expect(recorded.every((mail) => mail?.state === "FINISHED" && mail.trackingPoints.length === 3)).toBe(true);
  await eventually(async () => !(await notifier.reader.awaitsNotification(account._id)));
}, 120_000);
