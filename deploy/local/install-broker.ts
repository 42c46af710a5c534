// Installs Debian's rabbitmq-server without starting it as the machine's service.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { apt } from "./apt.ts";

const POLICY = "/usr/sbin/policy-rc.d";
const MARK = "# written by waypost while it installs rabbitmq-server";

/** Forbids starting services, but only as long as this process lives: a copy left behind by a crash forbids nothing. */
function policyOf(pid: number): string {
  return `#!/bin/sh\n${MARK}\nkill -0 ${pid} 2>/dev/null && exit 101\nexit 0\n`;
}

/** Removes a policy of ours that a killed installation left. */
export function removeStalePolicy(): void {
  if (existsSync(POLICY) && readFileSync(POLICY, "utf8").includes(MARK)) rmSync(POLICY);
}

/** Undefined when it was installed, else what went wrong. */
export async function installBroker(): Promise<string | undefined> {
  removeStalePolicy();
  const isOurs = !existsSync(POLICY);
  if (isOurs) writeFileSync(POLICY, policyOf(process.pid), { mode: 0o755 });
  try {
    const lists = await apt(["update", "-q"]);
    const problem = await apt(["install", "-y", "-q", "--no-install-recommends", "rabbitmq-server"]);
    return problem === undefined ? undefined : [lists, problem].filter((text) => text !== undefined).join("; ");
  } finally {
    if (isOurs) removeStalePolicy();
  }
}
