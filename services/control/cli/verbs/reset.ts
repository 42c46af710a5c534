// waypost reset
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Refusal } from "../client.ts";
import type { Terminal } from "../confirmed.ts";
import { confirmed } from "../confirmed.ts";
import { startOf } from "../connection.ts";
import type { Output, Verbs } from "../context.ts";
import { show } from "../context.ts";

const LEFT_OVER_MS = 10_000;

export interface Reset {
  /** Whose data is removed: the project's root. */
  project: string;
  /** Not asked then. */
  isSure: boolean;
  terminal: Terminal;
  output: Output;
}

/** A killed `npm start` leaves broker, database and services behind, which would go on in a directory that is gone. */
async function endLeftOver(local: string): Promise<void> {
  const { endProcessesOf } = await import("#deploy/local/processes.ts");
  await endProcessesOf(local, LEFT_OVER_MS);
}

/** Where they ran in containers, the data of broker and database is not in the directory. */
async function removeContainerData(local: string): Promise<void> {
  const { removeVolumes } = await import("#deploy/local/volumes.ts");
  const problems = await removeVolumes(local);
  if (problems.length > 0) throw new Refusal(problems.join("\n"), { title: "volumes remain", problems });
}

export async function reset({ project, isSure, terminal, output }: Reset): Promise<void> {
  const data = join(project, ".waypost");
  if (!existsSync(data)) return show(output, { removed: false }, () => "there is no data: nothing to remove");
  if (startOf(project) !== undefined) {
    throw new Refusal("the system is running: end `npm start` with Ctrl-C first", { title: "running" });
  }
  const question = `Remove all data and credentials in ${data}? [y/N] `;
  if (!isSure && !(await confirmed(question, terminal))) {
    throw new Refusal("nothing was removed", { title: "not confirmed" });
  }
  const local = join(data, "local");
  await endLeftOver(local);
  // First: while a volume remains, the directory does, and with it the verb's way to try again.
  await removeContainerData(local);
  rmSync(data, { recursive: true, force: true });
  return show(output, { removed: true }, () => `${data} is removed`);
}

export function addResetVerb({ program }: Verbs, output: () => Output, project: string): void {
  program
    .command("reset")
    .description("remove the data that `npm start` keeps, after asking")
    .option("--yes", "do not ask")
    .action((flags: { yes?: boolean }) => {
      const terminal = { input: process.stdin, output: process.stderr };
      return reset({ project, isSure: flags.yes === true, terminal, output: output() });
    });
}
