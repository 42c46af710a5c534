// waypost relay set|list|show|remove|verify|suspend|resume
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { TLS_MODES } from "#shared/routing/configuration.ts";
import type { Verbs } from "../context.ts";
import { collect, encode, given, readAll, show } from "../context.ts";
import { Misuse, Refusal } from "../client.ts";
import type { Row } from "../print.ts";
import { fields, table } from "../print.ts";

interface RelayFlags {
  port?: number;
  sender: string[];
  tls?: string;
  user?: string;
  password?: string;
  maxConnections?: number;
  disable?: boolean;
  verify?: boolean;
  waiting?: string;
}

const pathOf = (account: string, domain: string): string =>
  `/v1/accounts/${encode(account)}/domains/${encode(domain)}/relay`;

function numberOf(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("It should be a whole number above 0.");
  return value;
}

const waitingOption = (): Option =>
  new Option("--waiting <what>", "what mails that wait for it do").choices(["reroute", "bounce"]);

function bodyOf(host: string, flags: RelayFlags): object {
  if (flags.user === undefined && flags.password !== undefined) throw new Misuse("--password goes with --user");
  return given({
    host,
    port: flags.port,
    senders: flags.sender.length > 0 ? flags.sender : undefined,
    tls: flags.tls,
    auth: flags.user === undefined ? undefined : given({ user: flags.user, password: flags.password }),
    maxConnections: flags.maxConnections,
    enabled: flags.disable === true ? false : undefined,
  });
}

function addSet(relay: Command, { run }: Verbs): void {
  relay
    .command("set <account> <domain> <host>")
    .description("relay the domain's mails through this host")
    .option("--port <port>", "25 by default", numberOf)
    .option("--sender <address>", "only mails of this sender; repeatable, at most 10", collect, [])
    .addOption(new Option("--tls <mode>", "opportunistic by default").choices(TLS_MODES))
    .option("--user <user>", "for AUTH at the relay")
    .option("--password <password>")
    .option("--max-connections <n>", "for each delivery replica; 10 by default", numberOf)
    .option("--disable", "keep it configured, but take the default route")
    .option("--verify", "refuse it unless it answers as it should")
    .addOption(waitingOption())
    .action((...[account, domain, host, flags]: [string, string, string, RelayFlags]) =>
      run(async ({ client, output }) => {
        const query = { verify: flags.verify === true ? "require" : undefined, waiting: flags.waiting };
        const answer = await client.put(pathOf(account, domain), bodyOf(host, flags), query);
        show(output, answer, (row: Row) => fields(row));
      }),
    );
}

function laneRow(item: Row): Row {
  const lane = (item["lane"] ?? {}) as Row;
  return {
    ...item,
    depth: lane["depth"],
    inFlight: lane["inFlight"],
    state: item["enabled"] === false ? "disabled" : lane["state"],
    since: lane["since"],
    lastResponse: lane["lastResponse"],
  };
}

function addReading(relay: Command, { run }: Verbs): void {
  relay
    .command("list")
    .description("all relays with their lanes")
    .action(() =>
      run(async ({ client, output }) => {
        const columns = [
          "account",
          "domain",
          "host",
          "port",
          "tls",
          "state",
          "depth",
          "inFlight",
          "since",
          "lastResponse",
        ];
        show(output, await readAll(client, "/v1/relays"), ({ items }: { items: Row[] }) =>
          table(items.map(laneRow), columns, "no relays yet: `waypost relay set`"),
        );
      }),
    );
  relay
    .command("show <account> <domain>")
    .description("one relay, secrets left out")
    .action((account: string, domain: string) =>
      run(async ({ client, output }) =>
        show(output, await client.get(pathOf(account, domain)), (row: Row) => fields(row)),
      ),
    );
  relay
    .command("verify <account> <domain>")
    .description("speak to the relay up to RCPT; sends no mail")
    .action((account: string, domain: string) =>
      run(async ({ client, output }) => {
        const answer = (await client.post(`${pathOf(account, domain)}/verify`)) as { steps: Row[] };
        show(output, answer, ({ steps }: { steps: Row[] }) =>
          table(steps, ["step", "ok", "ms", "detail"], "nothing to verify"),
        );
        const failed = answer.steps.find((step) => step["ok"] !== true);
        if (failed !== undefined) throw new Refusal(`the relay failed at ${String(failed["step"])}`);
      }),
    );
}

function addChanging(relay: Command, { run }: Verbs): void {
  relay
    .command("remove <account> <domain>")
    .description("take the default route again")
    .addOption(waitingOption())
    .action((account: string, domain: string, flags: RelayFlags) =>
      run(async ({ client, output }) => {
        const answer = await client.delete(pathOf(account, domain), { waiting: flags.waiting });
        show(output, answer, () => `the relay of ${domain} is removed`);
      }),
    );
  for (const verb of ["suspend", "resume"] as const) {
    relay
      .command(`${verb} <account> <domain>`)
      .description(verb === "suspend" ? "hold its lane: mails wait" : "let its lane go on")
      .action((account: string, domain: string) =>
        run(async ({ client, output }) => {
          const answer = await client.post(`${pathOf(account, domain)}/${verb}`);
          show(output, answer, () => `the relay of ${domain} is ${verb === "suspend" ? "held" : "resumed"}`);
        }),
      );
  }
}

export function addRelayVerbs(verbs: Verbs): void {
  const relay = verbs.program
    .command("relay")
    .description("relays of sender domains: set, list, show, remove, verify, suspend, resume");
  addSet(relay, verbs);
  addReading(relay, verbs);
  addChanging(relay, verbs);
}
