// Runs a program to its end without holding up whatever else is starting meanwhile.
import { execFile } from "node:child_process";

export interface RunOptions {
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
}

/** Undefined when it exited with 0, else the last lines of what it said. */
export function runProgram(command: string, args: readonly string[], options: RunOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(
      command,
      [...args],
      { env: options.env, timeout: options.timeoutMs, maxBuffer: 16 * 1024 * 1024 },
      (error, _stdout, stderr) => {
        if (error === null) resolve(undefined);
        else resolve((stderr.trim() || error.message).split("\n").slice(-3).join(" "));
      },
    );
  });
}
