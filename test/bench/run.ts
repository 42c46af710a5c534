// `npm run bench`: Waypost, Postfix and ZoneMTA one after the other in interleaved rounds, from the same source to the same sink.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endProcessesOf } from "#deploy/local/processes.ts";
import { latencies } from "./latency.ts";
import type { Peer, PeerOptions } from "./peers/peer.ts";
import { startPostfix } from "./peers/postfix.ts";
import type { Waypost } from "./peers/waypost.ts";
import { startWaypost } from "./peers/waypost.ts";
import { startZoneMta } from "./peers/zone-mta.ts";
import { percentile } from "./processes.ts";
import { machineLine, resultTable } from "./report.ts";
import type { Samples } from "./report.ts";
import { measure } from "./rounds.ts";
import { Sink } from "./sink.ts";
import { feedRest, feedSmtp } from "./sources.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    mails: { type: "string", default: "10000" },
    bytes: { type: "string", default: "10240" },
    connections: { type: "string", default: "50" },
    peers: { type: "string", default: "postfix,waypost,zone-mta" },
    singles: { type: "string", default: "300" },
  },
});

const load = { mails: Number(values.mails), sessions: Number(values.connections), bytes: Number(values.bytes) };
/** ZoneMTA takes some ten times as long: a tenth of the mails gives as steady a figure. */
const SLOW_SHARE = 10;
const say = (text: string): void => console.log(text);

/** Bounds of the source and the sink alone: what neither peer can exceed. */
async function ceiling(sink: Sink, port: number): Promise<string> {
  const seconds = await feedSmtp(port, load);
  return `source straight into the sink: ${(load.mails / seconds).toFixed(0)} mails a second (${sink.mostConnections} connections)`;
}

const STARTS: Readonly<Record<string, (options: PeerOptions) => Promise<Peer>>> = {
  postfix: startPostfix,
  waypost: startWaypost,
  "zone-mta": startZoneMta,
};

async function roundOf(peer: Peer, sink: Sink, samples: Samples): Promise<void> {
  const note = async (name: string, mails: number, feed: () => Promise<number>): Promise<void> => {
    const measured = await measure(peer, sink, { mails, feed });
    samples.set(name, [...(samples.get(name) ?? []), measured]);
    say(
      `  ${name}: accepted ${measured.accepted.toFixed(0)}/s, relayed ${measured.relayed.toFixed(0)}/s, CPU ${measured.cpuPerThousand.toFixed(2)} s/1,000, ${measured.memoryMib.toFixed(0)} MiB`,
    );
  };
  const mails = peer.name === "zone-mta" ? Math.ceil(load.mails / SLOW_SHARE) : load.mails;
  await feedSmtp(peer.smtpPort, { ...load, mails: Math.min(500, mails) });
  await sink.reached(sink.accepted, 60_000);
  await note(peer.name, mails, () => feedSmtp(peer.smtpPort, { ...load, mails }));
  if (peer.name === "waypost") {
    const { system, account } = peer as Waypost;
    const target = { url: `${system.httpUrl}/v1/jobs`, user: account.name, password: account.password };
    await note("waypost by REST", mails, () => feedRest(target, load));
  }
}

async function singles(peer: Peer, sink: Sink): Promise<void> {
  const found = await latencies(peer.smtpPort, sink, { count: Number(values.singles), body: "x".repeat(load.bytes) });
  say(
    `  ${peer.name}: single mail, acceptance to the relay's 250: p50 ${percentile(found, 0.5).toFixed(1)} ms, p99 ${percentile(found, 0.99).toFixed(1)} ms`,
  );
}

async function main(directory: string): Promise<void> {
  const sink = new Sink();
  const sinkPort = await sink.listen();
  const samples: Samples = new Map();
  say(machineLine());
  say(await ceiling(sink, sinkPort));
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    for (const name of values.peers.split(",")) {
      say(`round ${round}: ${name}`);
      const place = join(directory, `${name}-${round}`);
      mkdirSync(place, { recursive: true });
      const peer = await STARTS[name]?.({ directory: place, sinkPort, connections: load.sessions });
      if (peer === undefined) throw new Error(`no such peer: ${name}`);
      try {
        await singles(peer, sink);
        await roundOf(peer, sink, samples);
      } finally {
        await peer.stop();
      }
    }
  }
  say(
    `\n${load.mails} mails of ${load.bytes} bytes, ${load.sessions} sessions in, at most ${load.sessions} connections out\n`,
  );
  say(resultTable(samples));
  await sink.stop();
}

const directory = mkdtempSync(join(tmpdir(), "waypost-bench-"));
execFileSync("chmod", ["755", directory]);
try {
  await main(directory);
} finally {
  await endProcessesOf(directory, 5_000);
  rmSync(directory, { recursive: true, force: true });
}
