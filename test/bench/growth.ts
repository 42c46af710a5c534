// How cost grows: with the mails that wait, with the relays that are configured, with the replicas of a service.
import { cpus } from "node:os";
import type { ServiceName } from "#shared/broker/topology.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import type { Ground, Row } from "./ground.ts";
import { byRest, bySmtp, measureFeed, warm } from "./ground.ts";
import { cpuSecondsOf } from "./processes.ts";
import type { Measured } from "./rounds.ts";
import type { Scenario } from "./scenarios.ts";
import { SENDER } from "./sources.ts";

const FEW_WAITING = 1_000;
const RELAYS = 1_000;
const AT_ONCE = 8;
const REPLICAS = 4;
const SHARED = ["ingest", "router", "delivery", "notifier"] as const;
/** A process's first mails, before its code is compiled: what is asked is what sharing costs, not starting. */
const WARM_MAILS = 2_000;
/** 200,000 mails take a quarter of an hour; the run's own time is the bound. */
const DRAIN_MS = 1_800_000;

async function waitingMails(ground: Ground, mails: number): Promise<Row> {
  const { waypost, sink, load } = ground;
  const relay = `/v1/accounts/${waypost.account.name}/domains/${waypost.account.domain}/relay`;
  await waypost.system.control.post(`${relay}/suspend`);
  const before = { accepted: sink.accepted, cpu: cpuSecondsOf(waypost.roots()) };
  const acceptSeconds = await bySmtp(ground, { ...load, mails });
  const started = performance.now();
  await waypost.system.control.post(`${relay}/resume`);
  await sink.reached(before.accepted + mails, DRAIN_MS);
  const seconds = (performance.now() - started) / 1000;
  const cpuPerThousand = ((cpuSecondsOf(waypost.roots()) - before.cpu) / mails) * 1000;
  const measured = {
    accepted: mails / acceptSeconds,
    relayed: mails / seconds,
    cpuPerThousand,
    memoryMib: Number.NaN,
    left: 0,
  };
  return { scenario: `${mails} mails waiting, then let go`, measured, note: "relayed: from a full lane" };
}

const waiting: Scenario = async (ground) => [
  await waitingMails(ground, FEW_WAITING),
  await waitingMails(ground, ground.waiting),
];

/** Seconds from the start of each service's process to its readiness. */
export async function startUps({ waypost: { system } }: Pick<Ground, "waypost">): Promise<string> {
  const found: string[] = [];
  for (const service of SERVICES) {
    await system.kill(service, { signal: "SIGTERM" });
    const started = performance.now();
    await system.restart(service);
    found.push(`${service} ${((performance.now() - started) / 1000).toFixed(2)} s`);
  }
  return found.join(", ");
}

async function addRelays(ground: Ground): Promise<void> {
  const names = Array.from({ length: RELAYS }, (_, index) => `grown-${index}.example`);
  const place = { port: ground.sinkPort, maxConnections: 10 };
  const worker = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) await ground.waypost.putDomain(name, place);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const relays: Scenario = async (ground) => {
  const { load } = ground;
  const rows: Row[] = [{ scenario: "start-up, few relays", note: await startUps(ground) }];
  const before = await measureFeed(ground, load.mails, () => byRest(ground, load));
  await addRelays(ground);
  rows.push({ scenario: `start-up, ${RELAYS} relays`, note: await startUps(ground) });
  await warm(ground, SENDER);
  const after = await measureFeed(ground, load.mails, () => byRest(ground, load));
  const share = (after.cpuPerThousand / before.cpuPerThousand).toFixed(2);
  return [
    ...rows,
    { scenario: "REST, before", measured: before },
    { scenario: `REST, ${RELAYS} relays configured`, measured: after, note: `CPU a mail: ${share} of before` },
  ];
};

/** A feed after another that gave each of so many replicas its first mails. */
async function settled(ground: Ground, count: number): Promise<Measured> {
  const feed = (mails: number): Promise<Measured> =>
    measureFeed(ground, mails, () => byRest(ground, { ...ground.load, mails }));
  await feed(count * WARM_MAILS);
  return await feed(ground.load.mails);
}

/** One service at a time, then those on a mail's way together, one more of each in turn. */
const replicas: Scenario = async (ground) => {
  const { system } = ground.waypost;
  const found: { scenario: string; measured: Measured }[] = [];
  const take = async (scenario: string, count: number): Promise<Measured> => {
    const measured = await settled(ground, count);
    found.push({ scenario, measured });
    return measured;
  };
  await take("REST, one replica each, before the others", 1);
  for (const services of [...SHARED.map((service) => [service]), SHARED]) {
    const added: { service: ServiceName; replica: number }[] = [];
    for (let count = 2; count <= REPLICAS; count += 1) {
      for (const service of services) added.push({ service, replica: await system.addReplica(service) });
      await take(`REST, ${count} of ${services.join(", ")}`, count);
    }
    for (const { service, replica } of added) await system.kill(service, { signal: "SIGTERM", replica });
  }
  await take("REST, one replica each, after the others", 1);
  // The added ones have had as many mails as the one of the first line, or more, and fewer than that of the last.
  const ones = [found.at(0), found.at(-1)].map((row) => row?.measured.relayed ?? Number.NaN);
  return found.map(({ scenario, measured }) => {
    const shares = ones.map((one) => (measured.relayed / one).toFixed(2)).join(" and ");
    return { scenario, measured, note: `${shares} of the first and the last line, on ${cpus().length} processors` };
  });
};

export const GROWTH: Readonly<Record<string, Scenario>> = { waiting, relays, replicas };
