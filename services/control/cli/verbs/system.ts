// waypost audit · config · doctor
import { systemClock } from "#shared/clock.ts";
import { parseDuration } from "#shared/duration.ts";
import { effectiveSettings } from "#shared/settings.ts";
import type { Output, Verbs } from "../context.ts";
import { show } from "../context.ts";
import { Refusal } from "../client.ts";
import { checkPorts } from "../port-checks.ts";
import type { Row } from "../print.ts";
import { table } from "../print.ts";

interface AuditAnswer {
  checked: number;
  finished: number;
  alive: number;
  offenders: Row[];
}

function addAudit({ program, run }: Verbs): void {
  program
    .command("audit")
    .description("prove from the record that every accepted mail has one end or is alive within its window")
    .option("--since <time>", "ISO 8601, or a duration such as 24h")
    .action((flags: { since?: string }) =>
      run(async ({ client, output }) => {
        const ago = parseDuration(flags.since ?? "");
        const since = ago === undefined ? flags.since : new Date(systemClock.nowMs() - ago).toISOString();
        const answer = (await client.get("/v1/audit/promise", { since })) as AuditAnswer;
        show(output, answer, ({ checked, finished, alive, offenders }: AuditAnswer) =>
          [
            `${checked} mails: ${finished} ended once, ${alive} alive within their window, ${offenders.length} offenders`,
            ...(offenders.length > 0
              ? [table(offenders, ["mailId", "account", "jobId", "problem", "evidence"], "")]
              : []),
          ].join("\n"),
        );
        if (answer.offenders.length > 0) throw new Refusal(`${answer.offenders.length} mails break the promise`);
      }),
    );
}

function addConfig({ program }: Verbs, output: () => Output): void {
  program
    .command("config")
    .description("the settings that a service started here would have, secrets masked")
    .action(() => {
      const rows = effectiveSettings();
      show(output(), { items: rows }, ({ items }: { items: Row[] }) =>
        table(items, ["name", "value", "origin", "problem"], ""),
      );
    });
}

function addDoctor({ program, run }: Verbs): void {
  program
    .command("doctor")
    .description("what is wrong with broker, database, topology, ports, DNS and relays, and how to mend it")
    .action(() =>
      run(async ({ client, system, output }) => {
        const [seen, ports] = await Promise.all([client.get("/v1/doctor"), checkPorts(system)]);
        const answer = {
          checks: [...(seen as { checks: Row[] }).checks, ...ports.map((check): Row => ({ ...check }))],
        };
        show(output, answer, ({ checks }: { checks: Row[] }) =>
          table(checks, ["check", "ok", "detail", "mend"], "nothing to check"),
        );
        const failed = answer.checks.filter((check) => check["ok"] !== true);
        if (failed.length > 0) throw new Refusal(`wrong: ${failed.map(({ check }) => String(check)).join(", ")}`);
      }),
    );
}

export function addSystemVerbs(verbs: Verbs, output: () => Output): void {
  addAudit(verbs);
  addConfig(verbs, output);
  addDoctor(verbs);
}
