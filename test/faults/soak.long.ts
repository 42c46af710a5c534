// Bounded memory, whatever waits: 100,000 mails in suspended lanes and an endpoint that answers nothing; then all of it ends.
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "#deploy/local/ports.ts";
import { mailsOf } from "#shared/store/mails.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { testBacking } from "#test/support/backing.ts";
import { eventually } from "#test/support/eventually.ts";
import { jobOf } from "#test/support/job.ts";
import { connectManagement } from "#test/support/management.ts";
import type { TestAccount } from "#test/support/system-client.ts";
import { noteSeen } from "./chronicle.ts";
import type { Ground } from "./ground.ts";
import { RECIPIENT_DOMAIN, startGround } from "./ground.ts";
import type { MemoryRow } from "./memory-watch.ts";
import { memoryOf, memoryOfServers } from "./memory-watch.ts";
import type { CountingRelay, StalledEndpoint } from "./soak-servers.ts";
import { createCountingRelay, startStalledEndpoint } from "./soak-servers.ts";

const MAILS = 100_000;
const LANES = 20;
/** Half of the mails come in small jobs, half in large ones. */
const SMALL = 10;
const LARGE = 100;
const AT_ONCE = 12;
const BODY = "A line of the text of a mail of four kilobytes, as transactional mails are.\r\n".repeat(52);
const MOST_MB = 300;
const IN_LANES = 0.99;
const HOUR_MS = 3_600_000;
const SETTLE_MS = 30_000;

let ground: Ground;
let relay: CountingRelay;
let endpoint: StalledEndpoint;
const accounts: TestAccount[] = [];
const started = performance.now();

function say(text: string): void {
  process.stdout.write(`soak, ${Math.round((performance.now() - started) / 1_000)} s: ${text}\n`);
}

beforeAll(async () => {
  ground = await startGround({ env: { WAYPOST_RETRY_SCHEDULE: "30s,60s", WAYPOST_NOTIFY_SCHEDULE: "5s,30s" } });
  relay = await createCountingRelay(await freePort());
  endpoint = await startStalledEndpoint();
  for (let lane = 0; lane < LANES; lane += 1) {
    const account = await ground.system.account({ notification: { url: endpoint.url } });
    await ground.system.relay(account, relay);
    accounts.push(account);
  }
}, HOUR_MS);

afterAll(async () => {
  await ground.stop();
  await Promise.all([relay.close(), endpoint.close()]);
}, HOUR_MS);

async function submit(account: TestAccount, count: number): Promise<void> {
  const label = uniqueLabel("soak");
  const recipients = Array.from({ length: count }, (_, index) => `${label}-${index}@${RECIPIENT_DOMAIN}`);
  const job = jobOf(account, recipients, { body: { content: BODY } });
  const key = { "idempotency-key": label };
  await eventually(async () => (await ground.system.submit(account, job, key)).status === 202, HOUR_MS);
}

async function submitAll(): Promise<void> {
  const sizes = [
    ...Array.from({ length: MAILS / 2 / SMALL }, () => SMALL),
    ...Array.from({ length: MAILS / 2 / LARGE }, () => LARGE),
  ];
  let next = 0;
  const customer = async (): Promise<void> => {
    for (let index = next++; index < sizes.length; index = next++) {
      const account = accounts[index % LANES];
      if (account !== undefined) await submit(account, sizes[index] ?? SMALL);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, customer));
}

async function depths(): Promise<{ lanes: number; others: Record<string, number> }> {
  const path = `/queues/${encodeURIComponent(ground.vhost)}?disable_stats=true&enable_queue_totals=true`;
  const queues = (await connectManagement(ground.system.managementUrl).call("GET", path)) as {
    name: string;
    messages?: number;
  }[];
  const isLane = (name: string): boolean => name.startsWith("delivery.relay.");
  const held = queues.filter(({ messages = 0 }) => messages > 0);
  return {
    lanes: held.filter(({ name }) => isLane(name)).reduce((sum, { messages = 0 }) => sum + messages, 0),
    others: Object.fromEntries(
      held.filter(({ name }) => !isLane(name)).map(({ name, messages = 0 }) => [name, messages]),
    ),
  };
}

const COLUMNS = ["Process", "Most RSS, MB", "RSS now", "PSS now"] as const;

function tellMemory(when: string): MemoryRow[] {
  const rows = memoryOf(ground.system);
  say(when);
  for (const row of [...rows, ...memoryOfServers(dirname(ground.system.plan.directory))]) {
    const { process: name, mostMb, nowMb, proportionalMb } = row;
    const title = `Soak, ${when}`;
    noteSeen(testBacking().directory, { title, head: COLUMNS, row: [name, mostMb, nowMb, proportionalMb] });
  }
  return rows;
}

const overOf = (rows: readonly MemoryRow[]): string[] =>
  rows.filter(({ mostMb }) => mostMb > MOST_MB).map((row) => `${row.process}: ${row.mostMb} MB`);

const endedCount = (): Promise<number> =>
  mailsOf(ground.store).countDocuments({ state: "FINISHED", account: { $in: accounts.map(({ name }) => name) } });

it(
  `holds ${MAILS} mails in ${LANES} suspended lanes before a stalled endpoint`,
  async () => {
    await submitAll();
    say("all accepted");
    // A few have been tried before their lane was suspended, and wait for the next time.
    await eventually(async () => (await depths()).lanes >= MAILS * IN_LANES, HOUR_MS);
    await sleep(SETTLE_MS);
    say(`${JSON.stringify(await depths())}; ${endpoint.waiting} POSTs without an answer`);
    expect(overOf(tellMemory("all waiting"))).toEqual([]);
  },
  HOUR_MS,
);

it(
  "delivers and tells them all once relay and endpoint are back",
  async () => {
    await relay.open();
    endpoint.release();
    await eventually(async () => (await endedCount()) >= MAILS, HOUR_MS);
    say("all ended");
    await eventually(() => endpoint.ends.size >= MAILS, HOUR_MS);
    say("all told");
    const rows = tellMemory("all over");
    expect([...endpoint.ends.values()].filter((tags) => tags.size > 1)).toEqual([]);
    expect(relay.taken.size).toBe(MAILS);
    expect([...relay.taken.values()].filter((times) => times > 1)).toEqual([]);
    expect(await endedCount()).toBe(MAILS);
    expect(overOf(rows)).toEqual([]);
  },
  HOUR_MS,
);
