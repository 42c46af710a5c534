// `node test/bench/where.ts`: Waypost alone under load, and the CPU time of each of its processes. With --profile, a
// .cpuprofile of each service in the directory that is printed; with --starts, the start-up of each service beside it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endProcessesOf } from "#deploy/local/processes.ts";
import { startUps } from "./growth.ts";
import { startWaypost } from "./peers/waypost.ts";
import { cpuSecondsOf, pssMibOf } from "./processes.ts";
import { measure } from "./rounds.ts";
import { Sink } from "./sink.ts";
import { feedRest, feedSmtp } from "./sources.ts";

const { values } = parseArgs({
  options: {
    mails: { type: "string", default: "10000" },
    warm: { type: "string", default: "2000" },
    rest: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    starts: { type: "boolean", default: false },
  },
});

const directory = mkdtempSync(join(tmpdir(), "waypost-where-"));
execFileSync("chmod", ["755", directory]);
const sink = new Sink();
const sinkPort = await sink.listen();
const env = values.profile ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${directory}/profiles` } : {};
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void endProcessesOf(directory, 3_000).finally(() => process.exit(1)));
}
const peer = await startWaypost({ directory, sinkPort, connections: 50, env }).catch(async (error: unknown) => {
  await endProcessesOf(directory, 3_000);
  throw error;
});

function nameOf(pid: number): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  return (
    words.map((word) => /services\/([a-z-]+)\/main/.exec(word)?.[1]).find((name) => name !== undefined) ??
    (words[0] ?? "").split("/").at(-1) ??
    ""
  );
}

const feed = (mails: number): Promise<number> => {
  const load = { mails, sessions: 50, bytes: 10_240 };
  return values.rest ? feedRest(peer.restTarget(), load) : feedSmtp(peer.smtpPort, load);
};

try {
  await measure(peer, sink, { mails: Number(values.warm), feed: () => feed(Number(values.warm)) });
  const mails = Number(values.mails);
  const before = new Map(peer.roots().map((pid) => [pid, cpuSecondsOf([pid])]));
  const own = process.cpuUsage();
  const measured = await measure(peer, sink, { mails, feed: () => feed(mails) });
  const { user, system } = process.cpuUsage(own);
  console.log(measured);
  console.log(`sink, and source over REST: ${((user + system) / mails).toFixed(0)} µs a mail`);
  for (const [pid, cpu] of before) {
    const used = ((cpuSecondsOf([pid]) - cpu) / mails) * 1_000_000;
    console.log(
      `${nameOf(pid).padEnd(18)} ${used.toFixed(0).padStart(6)} µs a mail, ${pssMibOf([pid]).toFixed(0)} MiB`,
    );
  }
  console.log(`five services on a mail's way: ${pssMibOf(peer.services()).toFixed(0)} MiB together`);
  if (values.starts) console.log(`start-up: ${await startUps({ waypost: peer })}`);
} finally {
  await peer.stop();
  await sink.stop();
  await endProcessesOf(directory, 5_000);
  console.log(directory);
}
