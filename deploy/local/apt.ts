// apt-get without questions.
import { runProgram } from "./run-program.ts";

/** Undefined when it exited with 0, else the last lines of what it said. */
export function apt(args: readonly string[]): Promise<string | undefined> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return runProgram("apt-get", args, { env, timeoutMs: 240_000 });
}
