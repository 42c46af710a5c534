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
import type { Samples } from "./report.ts";
import { measuredText } from "./report.ts";
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
}

/** ZoneMTA takes some ten times as long: a tenth of the mails gives as steady a figure. */
const SLOW_SHARE = 10;
/** It looks into its queue every second or so. */
const SLOW_SINGLES = 30;
const WARM_MAILS = 500;
const WARM_MS = 60_000;
const LONGEST_MS = 120_000;

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

async function singles({ sink, load, ...comparison }: Comparison, peer: Peer): Promise<string> {
  const count = peer.name === "zone-mta" ? Math.ceil(comparison.singles / SLOW_SINGLES) : comparison.singles;
  const found = await latencies(peer.smtpPort, sink, { count, body: bodyOf(load.bytes) });
  const [p50, p99] = [0.5, 0.99].map((share) => `${percentile(found, share).toFixed(1)} ms`);
  return `single mail, acceptance to the relay's 250: p50 ${p50}, p99 ${p99}`;
}

async function measurePeer(comparison: Comparison, peer: Peer, samples: Samples): Promise<void> {
  const { sink, load, say } = comparison;
  const note = async (name: string, mails: number, feed: () => Promise<number>): Promise<void> => {
    const measured = await measure(peer, sink, { mails, feed });
    samples.set(name, [...(samples.get(name) ?? []), measured]);
    say(`  ${name}: ${measuredText(measured)}`);
  };
  const mails = peer.name === "zone-mta" ? Math.ceil(load.mails / SLOW_SHARE) : load.mails;
  const before = sink.accepted;
  const warm = Math.min(WARM_MAILS, mails);
  await feedSmtp(peer.smtpPort, { ...load, mails: warm });
  await sink.reached(before + warm, WARM_MS);
  await note(peer.name, mails, () => feedSmtp(peer.smtpPort, { ...load, mails }));
  if (peer.name !== "waypost") return;
  const waypost = peer as Waypost;
  const [five, control] = [waypost.services(), waypost.control()].map((pids) => pssMibOf(pids).toFixed(0));
  say(`  its five services on a mail's way: ${five} MiB together, control ${control} MiB`);
  const { system, account } = waypost;
  const target = { url: `${system.httpUrl}/v1/jobs`, user: account.name, password: account.password };
  await note("waypost by REST", mails, () => feedRest(target, load));
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

async function roundOf(comparison: Comparison, name: string, { place, samples }: { place: string; samples: Samples }) {
  const { sinkPort, load, say } = comparison;
  mkdirSync(place, { recursive: true });
  const peer = await STARTS[name]?.({ directory: place, sinkPort, connections: load.sessions });
  if (peer === undefined) throw new Error(`no such peer: ${name}`);
  try {
    const work = async (): Promise<void> => {
      say(`  ${name}: ${await singles(comparison, peer)}`);
      await measurePeer(comparison, peer, samples);
    };
    await within(LONGEST_MS, work());
  } finally {
    await peer.stop();
  }
}

/** Fills `samples`. What fails of one peer is said, and the others go on. */
export async function compare(comparison: Comparison, samples: Samples): Promise<void> {
  for (let round = 1; round <= comparison.rounds; round += 1) {
    for (const name of comparison.peers) {
      if (comparison.isOver()) return;
      comparison.say(`round ${round}: ${name}`);
      const place = join(comparison.directory, `${name}-${round}`);
      await roundOf(comparison, name, { place, samples }).catch((error: unknown) =>
        comparison.say(`  ${name}: ${error instanceof Error ? error.message : String(error)}`),
      );
    }
  }
}
