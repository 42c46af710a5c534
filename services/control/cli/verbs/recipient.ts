// waypost suppression list|add|remove · dead list|replay · notify test · erase
import type { Command } from "commander";
import type { Verbs } from "../context.ts";
import { collect, encode, given, readAll, show } from "../context.ts";
import { Misuse, Refusal } from "../client.ts";
import type { Row } from "../print.ts";
import { table } from "../print.ts";

function addSuppression({ program, run }: Verbs): void {
  const suppression = program.command("suppression").description("an account's suppression list: list, add, remove");
  const path = (account: string): string => `/v1/accounts/${encode(account)}/suppressions`;
  suppression
    .command("list <account>")
    .action((account: string) =>
      run(async ({ client, output }) =>
        show(output, await readAll(client, path(account)), ({ items }: { items: Row[] }) =>
          table(items, ["email", "reason", "listedAt", "until"], "nobody is listed"),
        ),
      ),
    );
  suppression
    .command("add <account> <email>")
    .option("--until <time>", "ISO 8601")
    .option("--reason <text>")
    .action((account: string, email: string, flags: { until?: string; reason?: string }) =>
      run(async ({ client, output }) => {
        const answer = await client.put(`${path(account)}/${encode(email)}`, given({ ...flags }));
        show(output, answer, () => `${email} gets no more mails of ${account}`);
      }),
    );
  suppression.command("remove <account> <email>").action((account: string, email: string) =>
    run(async ({ client, output }) => {
      const answer = await client.delete(`${path(account)}/${encode(email)}`);
      show(output, answer, () => `${email} may be mailed again`);
    }),
  );
}

interface DeadFlags {
  account?: string;
  id: string[];
}

function addDead({ program, run }: Verbs): void {
  const dead = program.command("dead").description("what could not be notified or handled: list, replay");
  dead
    .command("list")
    .description("dead push notifications, and messages that no service could handle")
    .option("--account <account>")
    .action((flags: DeadFlags) =>
      run(async ({ client, output }) => {
        const query = { account: flags.account };
        const notifications = await readAll(client, "/v1/notifications/dead", query);
        const messages = await readAll(client, "/v1/dead-letters", query);
        show(
          output,
          { notifications, messages },
          (answer: { notifications: { items: Row[] }; messages: { items: Row[] } }) =>
            [
              table(
                answer.notifications.items,
                ["id", "account", "jobId", "url", "reason"],
                "no dead push notifications",
              ),
              table(answer.messages.items, ["id", "queue", "reason"], "no dead letters"),
            ].join("\n\n"),
        );
      }),
    );
  dead
    .command("replay [deadLetter]")
    .description("replay dead push notifications (--account or --id), or one dead letter")
    .option("--account <account>", "all of this account")
    .option("--id <id>", "repeatable", collect, [])
    .action((letter: string | undefined, flags: DeadFlags) =>
      run(async ({ client, output }) => {
        const said = [letter, flags.account, flags.id[0]].filter((choice) => choice !== undefined);
        if (said.length !== 1) throw new Misuse("say which, by one of --account, --id and the id of a dead letter");
        if (letter !== undefined) {
          const answer = await client.post(`/v1/dead-letters/${encode(letter)}/replay`);
          return show(output, answer, () => `dead letter ${letter} is on its way again`);
        }
        const chosen = flags.account === undefined ? { ids: flags.id } : { account: flags.account };
        const answer = await client.post("/v1/notifications/dead/replay", chosen);
        return show(output, answer, ({ replayed, hasMore }: { replayed: number; hasMore?: true }) =>
          hasMore === true ? `${replayed} replayed; there are more: say it again` : `${replayed} replayed`,
        );
      }),
    );
}

function addNotify(program: Command, run: Verbs["run"]): void {
  program
    .command("notify")
    .description("push notifications: test")
    .command("test <url>")
    .description("post one sample of each tracking point to an endpoint")
    .option("--account <account>", "as this account would; unsigned by default, under `npm start` as the demo account")
    .action((url: string, flags: { account?: string }) =>
      run(async ({ client, output, system }) => {
        const account = flags.account ?? system.account;
        const answer = (await client.post("/v1/notifications/test", given({ url, account }))) as { items: Row[] };
        show(output, answer, ({ items }: { items: Row[] }) =>
          table(items, ["type", "subType", "status", "ms", "reason"], "nothing was posted"),
        );
        if (answer.items.some((item) => item["ok"] !== true))
          throw new Refusal("the endpoint did not take every sample");
      }),
    );
}

function addErase({ program, run }: Verbs): void {
  program
    .command("erase <email>")
    .description("remove one recipient's personal data from the record; counts stay")
    .action((email: string) =>
      run(async ({ client, output }) => {
        const answer = await client.post("/v1/erasures", { email });
        show(
          output,
          answer,
          ({ mails, suppressions }: { mails: number; suppressions: number }) =>
            `erased from ${mails} mails and ${suppressions} suppressions`,
        );
      }),
    );
}

export function addRecipientVerbs(verbs: Verbs): void {
  addSuppression(verbs);
  addDead(verbs);
  addNotify(verbs.program, verbs.run);
  addErase(verbs);
}
