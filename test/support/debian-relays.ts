// Real mail servers to relay to: Debian's Postfix and Exim as private instances. Exim's packages are only unpacked, for
// Debian installs one mail server at a time. Needs root and apt; without, it says so in one line.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "#deploy/local/ports.ts";
import { loopbackAddress, nameOf } from "./addresses.ts";
import type { IssuedCertificate } from "./certificate.ts";
import { eventually } from "./eventually.ts";

export interface RealRelay {
  host: string;
  port: number;
  /** Ids in its queue. */
  queue(): string;
  stop(): Promise<void>;
}

function run(
  command: string,
  words: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  return execFileSync(command, words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });
}

function needApt(what: string): void {
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) return;
  throw new Error(`${what} is needed: Debian or Ubuntu as root (it is taken from the distribution's packages)`);
}

async function untilListening(address: string, port: number): Promise<void> {
  await eventually(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, address, () => {
          socket.destroy();
          resolve(true);
        });
        socket.once("error", () => resolve(false));
      }),
  );
}

function masterCf(address: string, port: number): string {
  return readFileSync("/usr/share/postfix/master.cf.dist", "utf8")
    .split("\n")
    .filter((line) => !line.startsWith("#") && line.trim() !== "")
    .map((line) => line.replace(/^smtp\s+inet\s.*/, `${address}:${port} inet n - n - - smtpd`))
    .map((line) => line.replace(/^(\S+\s+\S+\s+\S+\s+\S+\s+)y(\s)/, "$1n$2"))
    .concat("")
    .join("\n");
}

/** Takes what comes and keeps it in its queue. */
export async function startPostfixRelay(directory: string): Promise<RealRelay> {
  if (!existsSync("/usr/sbin/postfix")) {
    needApt("postfix");
    run("apt-get", ["install", "-y", "postfix"], { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  }
  const [address, port] = [loopbackAddress(), await freePort()];
  const configuration = join(directory, "conf");
  for (const path of [configuration, join(directory, "spool"), join(directory, "data")]) {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  }
  const settings = {
    compatibility_level: "3.6",
    queue_directory: join(directory, "spool"),
    data_directory: join(directory, "data"),
    command_directory: "/usr/sbin",
    daemon_directory: "/usr/lib/postfix/sbin",
    mail_owner: "postfix",
    setgid_group: "postdrop",
    maillog_file: join(directory, "maillog"),
    maillog_file_prefixes: directory,
    // Those that an interface names; its smtpd listens where master.cf says.
    inet_interfaces: "127.0.0.1",
    inet_protocols: "ipv4",
    myhostname: nameOf(address),
    mydestination: "",
    mynetworks: "127.0.0.0/8",
    smtpd_relay_restrictions: "permit_mynetworks, reject",
    smtpd_recipient_restrictions: "check_recipient_access inline:{nobody@recipient.example=REJECT}, permit",
    defer_transports: "smtp",
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
  writeFileSync(join(configuration, "main.cf"), lines.join(""));
  writeFileSync(join(configuration, "master.cf"), masterCf(address, port));
  run("postfix", ["-c", configuration, "set-permissions"]);
  run("postfix", ["-c", configuration, "start"]);
  await untilListening(address, port);
  return {
    host: nameOf(address),
    port,
    queue: () => run("postqueue", ["-c", configuration, "-p"]),
    stop: async () => void run("postfix", ["-c", configuration, "stop"]),
  };
}

/** Unpacks Exim once for a checkout. */
function unpackExim(cache: string): { exim: string; env: NodeJS.ProcessEnv } {
  const root = join(cache, "root");
  if (!existsSync(join(root, "usr/sbin/exim4"))) {
    needApt("exim4");
    mkdirSync(cache, { recursive: true });
    run("apt-get", ["download", "exim4-daemon-light", "exim4-base", "libidn12"], { cwd: cache });
    for (const file of readdirSync(cache).filter((name) => name.endsWith(".deb"))) {
      run("dpkg", ["-x", join(cache, file), root]);
    }
  }
  // The package would make this user when installed; the program asks for it before it reads its configuration.
  if (!/^Debian-exim:/m.test(readFileSync("/etc/passwd", "utf8"))) {
    needApt("the user Debian-exim");
    run("useradd", ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "Debian-exim"]);
  }
  const libraries = join(root, "usr/lib", `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`);
  return { exim: join(root, "usr/sbin/exim4"), env: { PATH: "/usr/sbin:/usr/bin:/bin", LD_LIBRARY_PATH: libraries } };
}

export interface EximOptions {
  directory: string;
  /** Where the unpacked packages are kept. */
  cache: string;
  tls: (name: string) => Promise<IssuedCertificate>;
  auth: { user: string; password: string };
}

/** With STARTTLS, and AUTH under it only: nothing is taken without. */
export async function startEximRelay({ directory, cache, tls, auth }: EximOptions): Promise<RealRelay> {
  const { exim, env } = unpackExim(cache);
  const [address, port] = [loopbackAddress(), await freePort()];
  const name = nameOf(address);
  mkdirSync(join(directory, "spool"), { recursive: true, mode: 0o777 });
  const { cert, key } = await tls(name);
  const file = (base: string): string => join(directory, base);
  writeFileSync(file("cert.pem"), cert);
  writeFileSync(file("key.pem"), key);
  run("chown", ["-R", "mail:mail", directory]);
  const condition = `\${if and{{eq{$auth2}{${auth.user}}}{eq{$auth3}{${auth.password}}}}}`;
  const configuration = [
    `primary_hostname = ${name}`,
    "exim_user = mail",
    "exim_group = mail",
    `spool_directory = ${file("spool")}`,
    `log_file_path = ${file("%slog")}`,
    `pid_file_path = ${file("exim.pid")}`,
    `local_interfaces = ${address}`,
    `daemon_smtp_ports = ${port}`,
    "tls_advertise_hosts = *",
    `tls_certificate = ${file("cert.pem")}`,
    `tls_privatekey = ${file("key.pem")}`,
    "auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}",
    "acl_smtp_rcpt = take",
    "acl_smtp_data = accept",
    "queue_only = true",
    "keep_environment =",
    "begin acl",
    "take:",
    "  accept authenticated = *",
    "  deny",
    "begin routers",
    "begin authenticators",
    "plain:",
    "  driver = plaintext",
    "  public_name = PLAIN",
    "  server_prompts = :",
    `  server_condition = ${condition}`,
    "  server_set_id = $auth2",
    "",
  ];
  writeFileSync(file("exim.conf"), configuration.join("\n"));
  const daemon = spawn(exim, ["-C", file("exim.conf"), "-bdf"], { env, stdio: "ignore" });
  await untilListening(address, port);
  return {
    host: name,
    port,
    queue: () => run(exim, ["-C", file("exim.conf"), "-bp"], { env }),
    stop: async () => {
      daemon.kill("SIGTERM");
      await new Promise((resolve) => daemon.once("exit", resolve));
    },
  };
}
