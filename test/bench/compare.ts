// The rounds of the bench: the peers one after the other, from the same source to the same sink, again and again.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { latencies } from "./latency.ts";
import type { Peer, PeerOptions } from "./peers/peer.ts";
import { startPostfix } from "./peers/postfix.ts";
import type { Waypost } from "./peers/waypost.ts";
import { startWaypost } from "./peers/waypost.ts";
import { startZoneMta } from "./peers/zone-mta.ts";
import { percentile, pssMibOf } from "./processes.ts";
import type { Sample, Samples } from "./report.ts";
import { measuredText } from "./report.ts";
import type { Measured } from "./rounds.ts";
import { measure } from "./rounds.ts";
import type { Sink } from "./sink.ts";
import type { Load } from "./sources.ts";
import { bodyOf, feedRest, feedSmtp } from "./sources.ts";

export interface Comparison {
  directory: string;
  peers: readonly string[];
  rounds: number;
  load: Load;
  /** Mails that are sent alone, on an idle system. */
  singles: number;
  sink: Sink;
  sinkPort: number;
  say: (text: string) => void;
  /** No round begins after its time is over. */
  isOver: () => boolean;
  /** What the report has to say beside the figures: versions of what was measured, and what failed. */
  versions: Set<string>;
  remarks: string[];
}

/** Each takes ZoneMTA the 5 s for which it doesn't look at a queue that was empty. */
const SLOW_SINGLES = 6;
/** A service runs for weeks: what is measured is code that has been compiled for its load, and pages that are there. */
const WARM_MS = 20_000;
/** In one feed: the slowest peer takes half a minute for them. */
const MOST_WARM_MAILS = 2_000;
const LONGEST_MS = 150_000;
/** For what is not out at the far end by then, the report says how much it was. */
const DRAIN_MS = 75_000;

const BY_REST = "waypost by REST";

const STARTS: Readonly<Record<string, (options: PeerOptions) => Promise<Peer>>> = {
  postfix: startPostfix,
  waypost: startWaypost,
  "zone-mta": startZoneMta,
};

/** Bounds of the source and the sink alone: what no peer can exceed. */
export async function ceiling({ sink, sinkPort, load }: Comparison): Promise<string> {
  const seconds = await feedSmtp(sinkPort, load);
  return `Source straight into the sink: ${(load.mails / seconds).toFixed(0)} mails a second over ${sink.mostConnections} connections.`;
}

/** What one round measures, of one peer. */
interface Round {
  number: number;
  place: string;
  samples: Samples;
}

async function singles({ sink, load, ...comparison }: Comparison, peer: Peer) {
  const count = peer.name === "zone-mta" ? Math.min(SLOW_SINGLES, comparison.singles) : comparison.singles;
  const found = await latencies(peer.smtpPort, sink, { count, body: bodyOf(load.bytes) });
  const [singleP50, singleP99] = [percentile(found, 0.5), percentile(found, 0.99)];
  const text = `p50 ${singleP50.toFixed(1)} ms, p99 ${singleP99.toFixed(1)} ms of ${count}`;
  comparison.say(`  ${peer.name}: single mail, acceptance to the relay's 250: ${text}`);
  return { singleP50, singleP99 };
}

function add(samples: Samples, name: string, sample: Sample): void {
  samples.set(name, [...(samples.get(name) ?? []), sample]);
}

/** Feeds one after the other, for the same time whatever the peer's pace. */
async function warm({ sink, load }: Comparison, peer: Peer): Promise<void> {
  const mails = Math.min(MOST_WARM_MAILS, load.mails);
  for (const started = performance.now(); performance.now() - started < WARM_MS;) {
    const before = sink.accepted;
    await feedSmtp(peer.smtpPort, { ...load, mails });
    await sink.reached(before + mails, DRAIN_MS);
  }
}

async function measurePeer(comparison: Comparison, peer: Peer, { number, samples }: Round): Promise<void> {
  const { sink, load, say } = comparison;
  await warm(comparison, peer);
  const alone = await singles(comparison, peer);
  const { mails } = load;
  const take = async (name: string, feed: () => Promise<number>): Promise<Measured> => {
    const measured = await measure(peer, sink, { mails, feed, drainMs: DRAIN_MS });
    say(`  ${name}: ${measuredText(measured)}`);
    return measured;
  };
  const measured = await take(peer.name, () => feedSmtp(peer.smtpPort, { ...load, mails }));
  const isWaypost = peer.name === "waypost";
  const own = isWaypost ? { servicesMib: servicesMib(comparison, peer as Waypost) } : {};
  add(samples, peer.name, { round: number, ...measured, ...alone, ...own });
  // What is left would come in among the next feed's mails.
  if (!isWaypost || measured.left > 0) return;
  const target = (peer as Waypost).restTarget();
  add(samples, BY_REST, { round: number, ...(await take(BY_REST, () => feedRest(target, load))) });
}

function servicesMib({ say }: Comparison, waypost: Waypost): number {
  const [five = Number.NaN, control = Number.NaN] = [waypost.services(), waypost.control()].map(pssMibOf);
  say(`  its five services on a mail's way: ${five.toFixed(0)} MiB together, control ${control.toFixed(0)} MiB`);
  return five;
}

/** A peer that hangs must not take the time of the others. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const over = new AbortController();
  const late = sleep(ms, undefined, { signal: over.signal }).then(
    () => Promise.reject(new Error(`not done within ${ms / 1000} s`)),
    () => undefined,
  );
  await Promise.race([work, late]).finally(() => over.abort());
}

async function roundOf(comparison: Comparison, name: string, round: Round): Promise<void> {
  const { sinkPort, load, versions } = comparison;
  mkdirSync(round.place, { recursive: true });
  const peer = await STARTS[name]?.({ directory: round.place, sinkPort, connections: load.sessions });
  if (peer === undefined) throw new Error(`no such peer: ${name}`);
  versions.add(peer.version);
  try {
    await within(LONGEST_MS, measurePeer(comparison, peer, round));
  } finally {
    await peer.stop();
  }
}

/** Fills `samples`. What fails of one peer is said, also in the report, and the others go on. */
export async function compare(comparison: Comparison, samples: Samples): Promise<void> {
  for (let number = 1; number <= comparison.rounds; number += 1) {
    for (const name of comparison.peers) {
      if (comparison.isOver()) return;
      comparison.say(`round ${number}: ${name}`);
      const place = join(comparison.directory, `${name}-${number}`);
      await roundOf(comparison, name, { number, place, samples }).catch((error: unknown) => {
        const remark = `${name}, round ${number}: ${error instanceof Error ? error.message : String(error)}`;
        comparison.say(`  ${remark}`);
        comparison.remarks.push(remark);
      });
    }
  }
}
