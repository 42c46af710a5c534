// waypost account set|list|show|remove
import { InvalidArgumentError } from "commander";
import { Misuse } from "../client.ts";
import type { Verbs } from "../context.ts";
import { collect, encode, given, readAll, show } from "../context.ts";
import type { Row } from "../print.ts";
import { fields, table } from "../print.ts";

interface AccountFlags {
  customerNo: string;
  tenant?: string;
  password?: string;
  sourceIp: string[];
  dedicatedIp?: string;
  brokerUser?: string;
  notificationUrl?: string;
  notificationHeader: Header[];
  notificationUser?: string;
  notificationPassword?: string;
  signingSecret?: string;
  previousSigningSecret?: string;
  jobsPerSecond?: number;
  waitingMails?: number;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("It should be a whole number above 0.");
  return value;
}

type Header = readonly [name: string, value: string];

function headerArgument(text: string, before: readonly Header[]): Header[] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("It should be name=value.");
  if (before.some(([known]) => known === name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return [...before, [name, value]];
}

function notificationOf(flags: AccountFlags): object | undefined {
  const { notificationUrl: url, notificationUser: user, notificationPassword: password } = flags;
  if (user === undefined && password !== undefined)
    throw new Misuse("--notification-password goes with --notification-user");
  const details = given({
    headers: flags.notificationHeader.length > 0 ? Object.fromEntries(flags.notificationHeader) : undefined,
    authentication: user === undefined ? undefined : given({ method: "BASIC", user, password }),
    signingSecret: flags.signingSecret,
    previousSigningSecret: flags.previousSigningSecret,
  });
  if (url !== undefined) return { url, ...details };
  if (Object.keys(details).length > 0)
    throw new Misuse("what an endpoint is told and signed by goes with --notification-url");
  return undefined;
}

function bodyOf(flags: AccountFlags): object {
  const limits = given({ jobsPerSecond: flags.jobsPerSecond, waitingMails: flags.waitingMails });
  return given({
    customerNo: flags.customerNo,
    tenant: flags.tenant,
    password: flags.password,
    sourceIps: flags.sourceIp.length > 0 ? flags.sourceIp : undefined,
    dedicatedIp: flags.dedicatedIp,
    brokerUser: flags.brokerUser,
    notification: notificationOf(flags),
    limits: Object.keys(limits).length > 0 ? limits : undefined,
  });
}

function addSet({ program, run }: Verbs): void {
  program
    .command("set <account>")
    .description("create or replace an account; a secret that is left out is kept")
    .requiredOption("--customer-no <number>", "the customer number in push notifications")
    .option("--tenant <name>")
    .option("--password <password>", "for REST and SMTP")
    .option("--source-ip <cidr>", "submissions only from here; repeatable", collect, [])
    .option("--dedicated-ip <address>", "deliveries leave from this address")
    .option("--broker-user <user>", "user_id of its submissions over the broker")
    .option("--notification-url <url>")
    .option("--notification-header <name=value>", "repeatable", headerArgument, [])
    .option("--notification-user <user>")
    .option("--notification-password <password>")
    .option("--signing-secret <whsec_…>", "signs push notifications (Standard Webhooks)")
    .option("--previous-signing-secret <whsec_…>")
    .option("--jobs-per-second <n>", "", wholeNumber)
    .option("--waiting-mails <n>", "", wholeNumber)
    .action((account: string, flags: AccountFlags) =>
      run(async ({ client, output }) => {
        const answer = await client.put(`/v1/accounts/${encode(account)}`, bodyOf(flags));
        show(output, answer, (row: Row) => fields(row));
      }),
    );
}

export function addAccountVerbs(verbs: Verbs): void {
  const account = verbs.program.command("account").description("technical accounts: set, list, show, remove");
  const { run } = verbs;
  addSet({ program: account, run });
  account
    .command("list")
    .description("all accounts")
    .action(() =>
      run(async ({ client, output }) => {
        const answer = await readAll(client, "/v1/accounts");
        show(output, answer, ({ items }: { items: Row[] }) =>
          table(
            items,
            ["account", "customerNo", "tenant", "dedicatedIp", "brokerUser"],
            "no accounts yet: `waypost account set`",
          ),
        );
      }),
    );
  account
    .command("show <account>")
    .description("one account, secrets left out")
    .action((name: string) =>
      run(async ({ client, output }) => {
        const answer = await client.get(`/v1/accounts/${encode(name)}`);
        show(output, answer, (row: Row) => fields(row));
      }),
    );
  account
    .command("remove <account>")
    .description("refuse its jobs at once; it is gone when its last mail has ended")
    .action((name: string) =>
      run(async ({ client, output }) => {
        const answer = await client.delete(`/v1/accounts/${encode(name)}`);
        show(output, answer, () => `account ${name} takes no more jobs; it goes when its last mail has ended`);
      }),
    );
}
