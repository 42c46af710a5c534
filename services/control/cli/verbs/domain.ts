// waypost domain set
import { readFileSync } from "node:fs";
import { Misuse } from "../client.ts";
import type { Verbs } from "../context.ts";
import { encode, given, show } from "../context.ts";
import type { Row } from "../print.ts";
import { fields } from "../print.ts";

interface DomainFlags {
  messageSigning?: boolean;
  certificate?: string;
  privateKey?: string;
}

function signingOf({ certificate, privateKey }: DomainFlags): object | undefined {
  if (certificate === undefined && privateKey === undefined) return undefined;
  if (certificate === undefined || privateKey === undefined)
    throw new Misuse("--certificate and --private-key go together");
  return { certificate: readFileSync(certificate, "utf8"), privateKey: readFileSync(privateKey, "utf8") };
}

export function addDomainVerbs({ program, run }: Verbs): void {
  program
    .command("domain")
    .description("sender domains of an account: set")
    .command("set <account> <domain>")
    .description("register a sender domain, with message signing on or off")
    .option("--message-signing", "sign every mail that the certificate covers")
    .option("--no-message-signing")
    .option("--certificate <file>", "PEM, with its chain")
    .option("--private-key <file>", "PEM, not encrypted")
    .action((account: string, domain: string, flags: DomainFlags) =>
      run(async ({ client, output }) => {
        const body = given({ messageSigning: flags.messageSigning, signing: signingOf(flags) });
        const answer = await client.put(`/v1/accounts/${encode(account)}/domains/${encode(domain)}`, body);
        show(output, answer, (row: Row) => fields(row));
      }),
    );
}
