// Where the programs of the backing services are on this machine.
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

const DEBIAN_BROKER = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin", "/usr/local/bin"];
const ERLANG_EPMD = ["/usr/lib/erlang/bin/epmd", "/opt/homebrew/opt/erlang/lib/erlang/bin/epmd"];

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

export function findOnPath(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...SYSTEM_FOLDERS].filter(
    (folder) => folder !== "",
  );
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** Where a downloaded mongod is kept for all clones of this user. */
export function cacheDirectory(): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "waypost");
}

export const cachedMongod = (): string => join(cacheDirectory(), "mongod");

/** Debian's wrapper in /usr/sbin insists on the rabbitmq user: the script behind it does not. */
export function findBroker(): string | undefined {
  // The tests against another version (test/rabbitmq4.ts) name their program.
  const told = process.env["WAYPOST_TEST_BROKER_PROGRAM"];
  if (told !== undefined && told !== "") return told;
  return isProgram(DEBIAN_BROKER) ? DEBIAN_BROKER : findOnPath("rabbitmq-server");
}

export function findDatabase(): string | undefined {
  return findOnPath("mongod") ?? [cachedMongod()].find(isProgram);
}

export function findEpmd(): string | undefined {
  return findOnPath("epmd") ?? ERLANG_EPMD.find(isProgram);
}

export function isDebian(): boolean {
  if (!existsSync("/etc/os-release")) return false;
  return /^(ID|ID_LIKE)=.*\b(debian|ubuntu)\b/m.test(readFileSync("/etc/os-release", "utf8"));
}

export const isRoot = (): boolean => process.getuid?.() === 0;
