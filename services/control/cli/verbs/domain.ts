// waypost domain set
import { readFileSync } from "node:fs";
import type { Verbs } from "../context.ts";
import { encode, given, show } from "../context.ts";
import type { Row } from "../print.ts";
import { fields } from "../print.ts";

interface DomainFlags {
  messageSigning?: boolean;
  certificate?: string;
  privateKey?: string;
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
        const hasMaterial = flags.certificate !== undefined && flags.privateKey !== undefined;
        const signing = hasMaterial
          ? {
              certificate: readFileSync(flags.certificate ?? "", "utf8"),
              privateKey: readFileSync(flags.privateKey ?? "", "utf8"),
            }
          : undefined;
        const body = given({ messageSigning: flags.messageSigning, signing });
        const answer = await client.put(`/v1/accounts/${encode(account)}/domains/${encode(domain)}`, body);
        show(output, answer, (row: Row) => fields(row));
      }),
    );
}
