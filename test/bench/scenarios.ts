// What the bench shows beside its rounds: notifications, a relay far away, many relays, a large job, refusals, the broker.
import { connect } from "amqplib";
import { latencies } from "./latency.ts";
import type { Ground, Row } from "./ground.ts";
import { byRest, bySmtp, measureFeed, warm } from "./ground.ts";
import { percentile } from "./processes.ts";
import type { Measured } from "./rounds.ts";
import { Sink } from "./sink.ts";
import { bodyOf, restJob, SENDER } from "./sources.ts";

export type Scenario = (ground: Ground) => Promise<Row[]>;

const ROUND_TRIP_MS = 100;
const MANY_RELAYS = 200;
const RECIPIENTS = 1_000;
const SINGLES = 100;
const IN_TIME_MS = 120_000;

const both = (found: readonly number[]): string =>
  `p50 ${percentile(found, 0.5).toFixed(1)} ms, p99 ${percentile(found, 0.99).toFixed(1)} ms`;

/** The second line: the same with every tracking point told to an endpoint. */
async function notifications(ground: Ground): Promise<Row[]> {
  const { waypost, told } = ground;
  await waypost.putAccount({ notification: { url: told.url } });
  try {
    await warm(ground, SENDER);
    await told.reached(1, IN_TIME_MS);
    return [
      { scenario: "single mail, acceptance to the POST", note: await toldSingles(ground) },
      { scenario: "SMTP, told to an endpoint", measured: await toldFeed(ground) },
    ];
  } finally {
    await waypost.putAccount({});
  }
}

async function toldSingles({ waypost, sink, told, load }: Ground): Promise<string> {
  const first = told.lives.length;
  await latencies(waypost.smtpPort, sink, { count: SINGLES, body: bodyOf(load.bytes) });
  await told.reached(first + SINGLES, IN_TIME_MS);
  return both(told.lives.slice(first));
}

async function toldFeed(ground: Ground): Promise<Measured> {
  const { told, load } = ground;
  const first = told.lives.length;
  const measured = await measureFeed(ground, load.mails, () => bySmtp(ground, load));
  await told.reached(first + load.mails, IN_TIME_MS);
  return measured;
}

async function farRelay(ground: Ground): Promise<Row[]> {
  const sink = new Sink();
  sink.replyDelayMs = ROUND_TRIP_MS;
  const port = await sink.listen();
  await ground.waypost.putDomain("far.example", { port, maxConnections: ground.load.sessions });
  await warm(ground, "box@far.example", sink);
  const mails = Math.ceil(ground.load.mails / 3);
  const load = { ...ground.load, mails, senders: ["box@far.example"] };
  const measured = await measureFeed({ ...ground, sink }, mails, () => bySmtp(ground, load));
  await sink.stop();
  return [{ scenario: `relay with ${ROUND_TRIP_MS} ms round trip`, measured, note: "50 connections: 250 / s at most" }];
}

async function manyRelays(ground: Ground): Promise<Row[]> {
  const domains = Array.from({ length: MANY_RELAYS }, (_, index) => `many-${index}.example`);
  for (const domain of domains) await ground.waypost.putDomain(domain, { port: ground.sinkPort, maxConnections: 10 });
  const senders = domains.map((domain) => `box@${domain}`);
  const { load } = ground;
  await measureFeed(ground, MANY_RELAYS, () => byRest(ground, { ...load, mails: MANY_RELAYS, senders }));
  const one = await measureFeed(ground, load.mails, () => byRest(ground, load));
  const many = await measureFeed(ground, load.mails, () => byRest(ground, { ...load, senders }));
  const ratio = (many.relayed / one.relayed).toFixed(2);
  return [
    { scenario: "REST, one relay", measured: one },
    { scenario: `REST, ${MANY_RELAYS} relays`, measured: many, note: `${ratio} of the rate of one` },
  ];
}

async function largeJob(ground: Ground): Promise<Row[]> {
  const { waypost, load } = ground;
  const recipients = Array.from({ length: RECIPIENTS }, (_, index) => `someone-${index}@dest.example`);
  const job = restJob(load.bytes, { recipients });
  const measured = await measureFeed(ground, RECIPIENTS, async () => {
    const started = performance.now();
    await waypost.system.accept(waypost.account, job);
    return (performance.now() - started) / 1000;
  });
  return [{ scenario: `one job, ${RECIPIENTS} recipients`, measured }];
}

async function retryStorm(ground: Ground): Promise<Row[]> {
  const { sink, load } = ground;
  const mails = Math.ceil(load.mails / 3);
  sink.deferOneIn = 2;
  try {
    const measured = await measureFeed(ground, mails, () => bySmtp(ground, { ...load, mails }));
    return [{ scenario: "every second final dot answered 451", measured, note: "retried every 2 s" }];
  } finally {
    sink.deferOneIn = 0;
  }
}

async function brokerSubmissions(ground: Ground): Promise<Row[]> {
  const { waypost, load } = ground;
  const url = new URL(waypost.system.amqpUrl.split(",")[0] ?? "");
  await waypost.putAccount({ brokerUser: url.username });
  await warm(ground, SENDER);
  const connection = await connect(url.toString(), { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const body = Buffer.from(JSON.stringify(restJob(load.bytes)));
  const measured = await measureFeed(ground, load.mails, async () => {
    const started = performance.now();
    for (let index = 0; index < load.mails; index += 1) {
      const messageId = `bench-${process.pid}-${started}-${index}`;
      const options = { userId: url.username, messageId, contentType: "application/json", persistent: true };
      channel.publish("waypost.submissions", "jobs", body, options);
      if (index % 500 === 499) await channel.waitForConfirms();
    }
    await channel.waitForConfirms();
    return (performance.now() - started) / 1000;
  });
  await connection.close();
  return [{ scenario: "by the broker", measured, note: "accepted: confirmed" }];
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  notifications,
  broker: brokerSubmissions,
  large: largeJob,
  many: manyRelays,
  far: farRelay,
  storm: retryStorm,
};
