// Compiles the sources of all services before one is started from them: a process that strips types itself takes 30 MB
// more for as long as it runs. `node deploy/local/compile-services.ts` fills compile-cache/ in the project's root.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { SERVICES } from "#shared/broker/topology.ts";
import { EXIT_CONFIG } from "#shared/exit-codes.ts";
import { ROOT } from "./instance.ts";
import { RUN_MARK } from "./processes.ts";
import { serviceEnvironment } from "./service-environment.ts";

/** What a service loads without any settings: then it says which are missing, and ends. */
const programs = SERVICES.map((service) => ({ args: [`services/${service}/main.ts`], exit: EXIT_CONFIG }));

/** What it loads later, where its settings ask for that. */
const late = ["./services/ingest/self-signed.ts", "./shared/telemetry/traces.ts"].map((module) => ({
  args: ["--input-type=module", "--eval", `await import(${JSON.stringify(module)})`],
  exit: 0,
}));

interface Ended {
  code?: number | string | null;
  stderr: string;
}

const run = promisify(execFile);

/** `directory` as in `serviceEnvironment`. Throws where a service cannot be loaded, with what it said. */
export async function compileServices(directory: string): Promise<void> {
  const env = { ...serviceEnvironment(directory), [RUN_MARK]: directory };
  const compile = async ({ args, exit }: { args: readonly string[]; exit: number }): Promise<void> => {
    const ended: Ended = await run(process.execPath, args, { cwd: ROOT, env }).catch(
      (error: unknown) => error as Ended,
    );
    if ((ended.code ?? 0) !== exit) throw new Error(`${args.at(-1)} cannot be loaded: ${ended.stderr}`);
  };
  await Promise.all([...programs, ...late].map(compile));
}

if (import.meta.main) await compileServices(ROOT);
