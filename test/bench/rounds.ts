// One measurement of a peer: feed it, wait until the far end has everything, and read what it cost.
import { cpuSecondsOf, pssMibOf } from "./processes.ts";
import type { Peer } from "./peers/peer.ts";
import type { Sink } from "./sink.ts";

export interface Measured {
  /** Mails accepted a second, as the source saw it. */
  accepted: number;
  /** Mails relayed a second, from the start of the feed to the last one at the far end. */
  relayed: number;
  /** CPU seconds of all processes of the peer for 1,000 mails. */
  cpuPerThousand: number;
  /** Proportional set size of all processes at the end of the feed, in MiB. */
  memoryMib: number;
  /** Mails that had not come out at the far end when the time was over: `relayed` and the CPU are of the others. */
  left: number;
}

const DRAIN_MS = 300_000;

/** `feed` hands in `mails` mails and resolves with the seconds until the last was accepted. */
export async function measure(
  peer: Peer,
  sink: Sink,
  job: { mails: number; feed: () => Promise<number>; drainMs?: number },
): Promise<Measured> {
  const before = { cpu: cpuSecondsOf(peer.roots()), accepted: sink.accepted };
  const started = performance.now();
  const acceptSeconds = await job.feed();
  const memoryMib = pssMibOf(peer.roots());
  const left = await leftAfter(sink, before.accepted + job.mails, job.drainMs ?? DRAIN_MS);
  const passed = job.mails - left;
  if (passed <= 0) throw new Error("nothing was passed on");
  const relaySeconds = (performance.now() - started) / 1000;
  const cpu = await settledCpu(peer, before.cpu);
  return {
    accepted: job.mails / acceptSeconds,
    relayed: passed / relaySeconds,
    cpuPerThousand: (cpu / passed) * 1000,
    memoryMib,
    left,
  };
}

/** Mails that the sink still lacks after the time: 0 as soon as it has them all. */
function leftAfter(sink: Sink, count: number, ms: number): Promise<number> {
  return sink.reached(count, ms).then(
    () => 0,
    () => Math.max(0, count - sink.accepted),
  );
}

const QUIET_MS = 500;
/** Below this share of a processor a peer counts as quiet: what it still had to write is written. */
const QUIET_SHARE = 0.08;

/** CPU seconds since `before`, once the peer has done what was left to do (records, notifications, queue files). */
async function settledCpu(peer: Peer, before: number): Promise<number> {
  let last = cpuSecondsOf(peer.roots());
  for (let waited = 0; waited < 30_000; waited += QUIET_MS) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const now = cpuSecondsOf(peer.roots());
    if (now - last < (QUIET_SHARE * QUIET_MS) / 1000) return now - before;
    last = now;
  }
  return last - before;
}
