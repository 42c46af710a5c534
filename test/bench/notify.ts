// `node test/bench/notify.ts`: lag from tracking point to POST, idle and at full load; and whether hanging endpoints cost
// the healthy ones anything. The notifier alone, on real RabbitMQ and MongoDB; tracking points as router and delivery make them.
// Ends what it started, also when it is interrupted.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { startBacking } from "#deploy/local/backing.ts";
import { endProcessesOf } from "#deploy/local/processes.ts";
import type { Account } from "#shared/routing/configuration.ts";
import { eventually } from "#test/support/eventually.ts";
import { managementUrlOf } from "#test/support/management.ts";
import type { NotifierAlone } from "#test/support/notifier.ts";
import { startNotifier, testJob } from "#test/support/notifier.ts";
import type { EndpointOrder, EndpointReport } from "./endpoints.worker.ts";
import { cpuSecondsOf, percentile, pssMibOf } from "./processes.ts";
import { machineLine } from "./report.ts";

const { values } = parseArgs({
  options: {
    singles: { type: "string", default: "200" },
    seconds: { type: "string", default: "15" },
    rate: { type: "string", default: "3000" },
    endpoints: { type: "string", default: "200" },
    hanging: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    profile: { type: "boolean", default: false },
  },
});

const TICK_MS = 20;
const SPREAD_RATE = 500;
const POINTS_OF_A_LIFE = 3;
const say = (text: string): void => console.log(text);

/** The endpoints of endpoints.worker.ts as seen from here. */
class Endpoints {
  readonly lags: number[] = [];
  urls: string[] = [];
  posts = 0;
  #worker: Worker | undefined;

  async open(count: number): Promise<void> {
    const worker = new Worker(new URL("./endpoints.worker.ts", import.meta.url), { workerData: { count } });
    worker.unref();
    this.#worker = worker;
    await new Promise<void>((resolve) => {
      worker.on("message", (report: EndpointReport) => {
        if (report.kind === "urls") {
          this.urls = report.urls;
          return resolve();
        }
        this.posts += report.posts;
        for (const lag of report.lags) this.lags.push(lag);
      });
    });
  }

  order(order: EndpointOrder): void {
    this.#worker?.postMessage(order);
  }

  reset(): void {
    this.lags.length = 0;
    this.posts = 0;
  }

  figures(): string {
    const at = (share: number): string => `${percentile(this.lags, share).toFixed(0)} ms`;
    return `p50 ${at(0.5)}, p99 ${at(0.99)}, ${this.lags.length} points in ${this.posts} POSTs`;
  }
}

async function idle(notifier: NotifierAlone, account: Account, endpoints: Endpoints): Promise<void> {
  for (const [name, points] of [
    ["a mail's whole life at once", POINTS_OF_A_LIFE],
    ["a lone STARTED", 1],
  ] as const) {
    endpoints.reset();
    for (let index = 0; index < Number(values.singles); index += 1) {
      await notifier.publish(testJob(account).life(0).slice(0, points));
      await eventually(() => endpoints.lags.length === (index + 1) * points);
    }
    say(`idle, ${name}: ${endpoints.figures()}`);
  }
}

/** Publishes lives at a rate of points a second, over the accounts in turn. */
async function feed(notifier: NotifierAlone, accounts: readonly Account[], rate: number): Promise<number> {
  const began = Date.now();
  const pending: Promise<void>[] = [];
  let lives = 0;
  while (Date.now() - began < Number(values.seconds) * 1_000) {
    const due = Math.floor(((Date.now() - began) * rate) / 1_000 / POINTS_OF_A_LIFE);
    const events = [];
    for (; lives < due; lives += 1) {
      const account = accounts[lives % accounts.length];
      if (account !== undefined) events.push(...testJob(account).life(0));
    }
    if (events.length > 0) pending.push(notifier.publish(events));
    await sleep(TICK_MS);
  }
  await Promise.all(pending);
  return lives * POINTS_OF_A_LIFE;
}

async function fullLoad(notifier: NotifierAlone, account: Account, endpoints: Endpoints): Promise<void> {
  endpoints.reset();
  const { pid } = notifier.system.process("notifier");
  const cpuBefore = cpuSecondsOf([pid]);
  const began = Date.now();
  const points = await feed(notifier, [account], Number(values.rate));
  await eventually(() => endpoints.lags.length >= points, 60_000);
  const seconds = (Date.now() - began) / 1_000;
  const cpu = cpuSecondsOf([pid]) - cpuBefore;
  say(`full load, ${(points / seconds).toFixed(0)} points a second: ${endpoints.figures()}`);
  const parked = /notification_posts\S*outcome="parked"\S* (\d+)/.exec(await notifier.system.metrics("notifier"))?.[1];
  say(`  batches parked without an attempt: ${parked ?? 0}`);
  say(`  notifier: ${((cpu / points) * 1e6).toFixed(0)} µs CPU a point, ${pssMibOf([pid]).toFixed(0)} MiB`);
}

/** The p99 of the healthy endpoints; the others are never counted, whether they hang or not. */
async function spread(
  notifier: NotifierAlone,
  accounts: readonly Account[],
  { endpoints, order }: { endpoints: Endpoints; order: EndpointOrder },
): Promise<number> {
  endpoints.order(order);
  endpoints.reset();
  const lives = (await feed(notifier, accounts, SPREAD_RATE)) / POINTS_OF_A_LIFE;
  const turns = Array.from({ length: lives }, (_, index) => index % accounts.length);
  const healthy = turns.filter((index) => !order.uncounted.includes(index)).length * POINTS_OF_A_LIFE;
  await eventually(() => endpoints.lags.length >= healthy, 60_000);
  const name = `${order.hanging.length} hanging`.padEnd(10);
  say(`  ${name} healthy ones: ${endpoints.figures()}`);
  return percentile(endpoints.lags, 0.99);
}

async function isolation(notifier: NotifierAlone): Promise<void> {
  const endpoints = new Endpoints();
  await endpoints.open(Number(values.endpoints));
  const accounts = await accountsOf(notifier, endpoints.urls);
  const uncounted = Array.from({ length: Number(values.hanging) }, (_, index) => index * 7);
  const ratios: number[] = [];
  say(`${endpoints.urls.length} endpoints, ${SPREAD_RATE} points a second:`);
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const alone = await spread(notifier, accounts, { endpoints, order: { hanging: [], uncounted } });
    const beside = await spread(notifier, accounts, { endpoints, order: { hanging: uncounted, uncounted } });
    ratios.push(beside / alone);
  }
  say(
    `p99 beside the hanging ones, times of what it is without: ${ratios.map((ratio) => ratio.toFixed(2)).join(", ")}`,
  );
}

async function accountsOf(notifier: NotifierAlone, urls: readonly string[]): Promise<Account[]> {
  const accounts: Account[] = [];
  for (const url of urls) accounts.push(await notifier.account({ url }));
  return accounts;
}

async function measure(notifier: NotifierAlone): Promise<void> {
  const endpoints = new Endpoints();
  await endpoints.open(1);
  const [account] = await accountsOf(notifier, endpoints.urls);
  if (account === undefined) throw new Error("no account");
  say(`notifier at rest: ${pssMibOf([notifier.system.process("notifier").pid]).toFixed(0)} MiB`);
  await idle(notifier, account, endpoints);
  await fullLoad(notifier, account, endpoints);
  await isolation(notifier);
}

async function end(directory: string): Promise<void> {
  await endProcessesOf(directory, 5_000);
  if (values.profile) say(`profile in ${directory}`);
  else rmSync(directory, { recursive: true, force: true });
}

async function main(directory: string): Promise<void> {
  const backing = await startBacking({ directory, keepData: false, report: say });
  const managementUrl = backing.managementUrl ?? managementUrlOf(backing.amqpUrl);
  const env = {
    LOG_LEVEL: "info",
    WAYPOST_NOTIFY_LINGER: "1s",
    WAYPOST_NOTIFY_SCHEDULE: "5s,30s,2m,10m,30m,1h",
    ...(values.profile ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${directory}` } : {}),
  };
  const { amqpUrl, mongodbUri } = backing;
  const notifier = await startNotifier(env, { backing: { amqpUrl, mongodbUri, managementUrl, directory } });
  say(machineLine());
  await measure(notifier);
  await notifier.stop();
  await backing.stop();
}

const directory = mkdtempSync(join(tmpdir(), "waypost-bench-"));
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void end(directory).finally(() => process.exit(1)));
}
try {
  await main(directory);
} finally {
  await end(directory);
}
process.exit(0);
