// `npm run test:rabbitmq4`: the path and fault tests against RabbitMQ 4, wherever the machine's own is 3. Its program comes
// from Debian 13, unpacked into the user's cache (root, Debian or Ubuntu; 40 s and 370 MB once) and run in there.
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { cacheDirectory, findOnPath, isDebian, isRoot } from "#deploy/local/programs.ts";

const ROOT = resolve(import.meta.dirname, "..");
const RELEASE = "trixie";
const DEFAULT_MIRROR = "http://deb.debian.org/debian";
const EXIT_UNAVAILABLE = 69;

/** The mirror of the machine's own apt sources, where they are Debian's. */
function mirror(): string {
  const folder = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list", ...readdirSync(folder).map((name) => join(folder, name))];
  const text = files
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  const found = /^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(text);
  return found?.[1] ?? DEFAULT_MIRROR;
}

function installTree(tree: string): void {
  if (existsSync(join(tree, "usr/lib/rabbitmq/bin/rabbitmq-server"))) return;
  if (!isDebian() || !isRoot()) {
    process.stderr.write("RabbitMQ 4 is unpacked by debootstrap: run this as root on Debian or Ubuntu\n");
    process.exit(EXIT_UNAVAILABLE);
  }
  if (findOnPath("debootstrap") === undefined) {
    execFileSync("apt-get", ["update"], { stdio: "inherit" });
    execFileSync("apt-get", ["install", "-y", "--no-install-recommends", "debootstrap"], { stdio: "inherit" });
  }
  const unfinished = `${tree}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const args = ["--variant=minbase", "--include=rabbitmq-server", RELEASE, unfinished, mirror()];
  execFileSync("debootstrap", args, { stdio: "inherit" });
  renameSync(unfinished, tree);
}

/** Programs that run the tree's own, in a mount name space where their data directory ($HOME) stands in the tree. */
function writePrograms(tree: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of ["rabbitmq-server", "rabbitmqctl"]) {
    const script = [
      "#!/bin/sh",
      `tree='${tree}'`,
      'mkdir -p "$tree$HOME"',
      `exec unshare --mount --propagation private sh -c '`,
      '  mount --bind "$2" "$1$2" && mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" || exit 1',
      "  tree=$1; shift 2",
      `  exec chroot "$tree" /usr/lib/rabbitmq/bin/${name} "$@"`,
      `' sh "$tree" "$HOME" "$@"`,
      "",
    ];
    writeFileSync(join(folder, name), script.join("\n"));
    chmodSync(join(folder, name), 0o755);
  }
}

const tree = join(cacheDirectory(), "rabbitmq4");
const folder = join(cacheDirectory(), "rabbitmq4-programs");
mkdirSync(cacheDirectory(), { recursive: true });
installTree(tree);
writePrograms(tree, folder);
const named = process.argv.slice(2);
const child = spawn(process.execPath, [join(ROOT, "test/run.ts"), ...(named.length > 0 ? named : ["path", "faults"])], {
  stdio: "inherit",
  env: { ...process.env, WAYPOST_TEST_BROKER_PROGRAM: join(folder, "rabbitmq-server") },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void child.kill(signal));
child.once("exit", (code) => process.exit(code ?? 1));
