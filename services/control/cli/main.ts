// The command line (operator contract, Command line): verbs over the administration API. Exit 0, 1 (refused or failed), 2 (usage).
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { readCliSettings } from "#shared/settings.ts";
import { createClient, Misuse, Refusal } from "./client.ts";
import { findSystem } from "./connection.ts";
import type { CliContext, Output, Verbs } from "./context.ts";
import { visible } from "./print.ts";
import { addAccountVerbs } from "./verbs/account.ts";
import { addDomainVerbs } from "./verbs/domain.ts";
import { addMailVerbs } from "./verbs/mail.ts";
import { addRecipientVerbs } from "./verbs/recipient.ts";
import { addRelayVerbs } from "./verbs/relay.ts";
import { addResetVerb } from "./verbs/reset.ts";
import { addSimulateVerb } from "./verbs/simulate.ts";
import { addSystemVerbs } from "./verbs/system.ts";

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const EXIT = { refused: 1, usage: 2 } as const;

const program = new Command("waypost")
  .description("Waypost's command line: speaks to the administration API of a running system")
  .option("--json", "print answers as JSON")
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError("(add --help for the usage)")
  .exitOverride();

const output = (): Output => ({
  write: (text) => void process.stdout.write(`${visible(text)}\n`),
  isJson: program.opts<{ json?: boolean }>().json === true,
});

async function run(work: (context: CliContext) => Promise<void>): Promise<void> {
  const found = findSystem(readCliSettings(), {
    directory: process.cwd(),
    project: PROJECT,
    user: process.getuid?.(),
  });
  if (!found.ok) throw new Refusal(found.problem, { title: found.problem });
  await work({ client: createClient(found.system), system: found.system, output: output() });
}

/** Lets --json stand before or after the verb, and makes every command report usage errors the same way. */
function settle(command: Command): void {
  command.exitOverride();
  if (command.parent !== null) {
    command.option("--json", "print answers as JSON");
    command.on("option:json", () => program.setOptionValue("json", true));
  }
  for (const child of command.commands) settle(child);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`waypost: ${visible(message)}\n`);
  if (error instanceof Refusal && error.problem !== undefined && output().isJson)
    output().write(JSON.stringify({ error: error.problem }, null, 2));
  return error instanceof Misuse ? EXIT.usage : EXIT.refused;
}

/** A reader that has enough (`| head`) ends the verb, and does not make it fail; a full disk does. */
function endWithOutput(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit();
  process.stderr.write(`waypost: the output cannot be written: ${error.message}\n`);
  process.exit(EXIT.refused);
}
process.stdout.on("error", endWithOutput);
process.stderr.on("error", () => undefined);

const verbs: Verbs = { program, run };
addAccountVerbs(verbs);
addDomainVerbs(verbs);
addRelayVerbs(verbs);
addMailVerbs(verbs);
addRecipientVerbs(verbs);
addSystemVerbs(verbs, output);
addResetVerb(verbs, output, PROJECT);
addSimulateVerb(verbs, output);
settle(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
