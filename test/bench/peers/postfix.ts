// A private Postfix, tuned as its TUNING_README and QSHAPE_README advise for one fixed next hop: more processes, more
// concurrency from the start, cached connections, no throttling of input, no look-up of clients' names. Its queue file is synced as delivered: that is its promise.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "#deploy/local/ports.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Peer, PeerOptions } from "./peer.ts";

function mainCf(options: PeerOptions, directory: string): string {
  return Object.entries({
    compatibility_level: "3.6",
    queue_directory: join(directory, "spool"),
    data_directory: join(directory, "data"),
    command_directory: "/usr/sbin",
    daemon_directory: "/usr/lib/postfix/sbin",
    mail_owner: "postfix",
    setgid_group: "postdrop",
    maillog_file: join(directory, "maillog"),
    maillog_file_prefixes: directory,
    inet_interfaces: "127.0.0.1",
    inet_protocols: "ipv4",
    myhostname: "postfix.bench.example",
    mydestination: "",
    local_recipient_maps: "",
    alias_maps: "",
    mynetworks: "127.0.0.0/8",
    smtpd_relay_restrictions: "permit_mynetworks, reject",
    smtpd_client_connection_count_limit: "0",
    smtpd_peername_lookup: "no",
    smtpd_tls_security_level: "none",
    smtp_tls_security_level: "none",
    relayhost: `[127.0.0.1]:${options.sinkPort}`,
    disable_dns_lookups: "yes",
    default_process_limit: "200",
    default_destination_concurrency_limit: String(options.connections),
    initial_destination_concurrency: String(options.connections),
    smtp_connection_cache_on_demand: "yes",
    in_flow_delay: "0",
    qmgr_message_active_limit: "40000",
    qmgr_message_recipient_limit: "40000",
  })
    .map(([key, value]) => `${key} = ${value}\n`)
    .join("");
}

/** The distribution's master.cf without chroot, its smtpd on a port of ours. */
function masterCf(port: number): string {
  return readFileSync("/usr/share/postfix/master.cf.dist", "utf8")
    .split("\n")
    .filter((line) => !line.startsWith("#") && line.trim() !== "")
    .map((line) => line.replace(/^smtp\s+inet\s.*/, `127.0.0.1:${port} inet n - n - - smtpd`))
    .map((line) => line.replace(/^(\S+\s+\S+\s+\S+\s+\S+\s+)y(\s)/, "$1n$2"))
    .concat("")
    .join("\n");
}

/** Starts it. Throws when Debian's package `postfix` is not installed. */
export async function startPostfix(options: PeerOptions): Promise<Peer> {
  const directory = options.directory;
  const configuration = join(directory, "conf");
  for (const path of [configuration, join(directory, "spool"), join(directory, "data")])
    mkdirSync(path, { recursive: true });
  for (const path of [directory, configuration]) chmodSync(path, 0o755);
  const smtpPort = await freePort();
  writeFileSync(join(configuration, "main.cf"), mainCf(options, directory));
  writeFileSync(join(configuration, "master.cf"), masterCf(smtpPort));
  const postfix = (...words: string[]): void =>
    void execFileSync("postfix", ["-c", configuration, ...words], { stdio: "ignore" });
  postfix("set-permissions");
  postfix("start");
  const version = execFileSync("postconf", ["-h", "mail_version"], { encoding: "utf8" }).trim();
  const master = Number(readFileSync(join(directory, "spool/pid/master.pid"), "utf8"));
  return {
    name: "postfix",
    version: `Postfix ${version}`,
    smtpPort,
    roots: () => [master],
    stop: async () => postfix("stop"),
  };
}

const GONE_MS = 2_000;

/** Ends at once what runs below a directory: Postfix clears its environment, so that its processes carry no mark. */
export async function endPostfixBelow(directory: string): Promise<void> {
  for (const name of readdirSync(directory)) {
    const pidFile = join(directory, name, "spool/pid/master.pid");
    if (!existsSync(pidFile)) continue;
    const master = Number(readFileSync(pidFile, "utf8"));
    // The file outlives a master that was stopped, and its number may be another's by now.
    if (!isMaster(master)) continue;
    // It leads a group of its own, which all its daemons are in.
    process.kill(-master, "SIGKILL");
    await eventually(() => !existsGroup(master), GONE_MS);
  }
}

function existsGroup(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return true;
  } catch {
    return false;
  }
}

function isMaster(pid: number): boolean {
  try {
    return realpathSync(`/proc/${pid}/exe`).endsWith("/postfix/sbin/master");
  } catch {
    return false;
  }
}
