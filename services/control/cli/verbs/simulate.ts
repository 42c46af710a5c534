// waypost simulate: speaks to no system.
import { InvalidArgumentError } from "commander";
import { systemClock } from "#shared/clock.ts";
import { parseDuration } from "#shared/duration.ts";
import { effectiveSettings } from "#shared/settings.ts";
import { durationsSchema } from "#shared/settings-schedules.ts";
import { ladderOf } from "#shared/life/ladder.ts";
import { Misuse } from "../client.ts";
import type { Output, Verbs } from "../context.ts";
import { show } from "../context.ts";
import { pointLine, table } from "../print.ts";
import type { Script } from "../simulate/script.ts";
import { readScript } from "../simulate/script.ts";
import type { Simulation } from "../simulate/simulate.ts";
import { simulate } from "../simulate/simulate.ts";

/** What is not given is as a service started here would have it. */
interface Flags {
  schedule?: readonly number[];
  deadline?: number;
  linger?: number;
  batch?: number;
  relay: string;
  mx?: boolean;
  account: string;
  from: string;
  to: string;
  at?: number;
}

function scriptArgument(text: string): Script {
  const read = readScript(text);
  if (!read.ok) throw new InvalidArgumentError(read.problem);
  return read.script;
}

function durationArgument(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError("a duration such as 90s, 5m, 48h");
  return ms;
}

function scheduleArgument(text: string): readonly number[] {
  const read = durationsSchema.safeParse(text);
  if (!read.success) throw new InvalidArgumentError("durations separated by commas, e.g. 1m,5m,15m");
  return read.data;
}

function countArgument(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("a number from 1");
  return Number(text);
}

function timeArgument(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError("a time in ISO 8601");
  return ms;
}

function settingOf<T>(name: string, parse: (text: string) => T): T {
  const setting = effectiveSettings().find((candidate) => candidate.name === name);
  if (setting?.problem !== undefined) throw new Misuse(setting.problem);
  return parse(setting?.value ?? "");
}

function read({ attempts, trackingPoints, notifications }: Simulation): string {
  const rows = attempts.map(({ attempt, at, result }) => ({
    attempt,
    at,
    outcome: result.status,
    step: result.step,
    response: result.text,
    dsn: result.enhancedStatus,
  }));
  const posts = notifications.flatMap(({ at, batchId, push }) => [
    `  ${at}  POST ${batchId}`,
    ...push.notifications.map(
      ({ meta }) =>
        `    ${meta.event.type}/${meta.event.subType} ${meta.event.state ?? ""}  tag ${meta.tag.slice(0, 12)}…`,
    ),
  ]);
  return [
    `${attempts.length} attempts`,
    table(rows, ["attempt", "at", "outcome", "step", "response", "dsn"], "none"),
    "",
    `${trackingPoints.length} tracking points`,
    ...trackingPoints.map(pointLine),
    "",
    `${notifications.length} push notifications (whole with --json)`,
    ...posts,
  ].join("\n");
}

function run(script: Script, flags: Flags, output: Output): void {
  const simulation = simulate({
    script,
    ladder: ladderOf(flags.schedule ?? settingOf("WAYPOST_RETRY_SCHEDULE", scheduleArgument)),
    deadlineMs: flags.deadline ?? settingOf("WAYPOST_RETRY_DEADLINE", durationArgument),
    startMs: flags.at ?? systemClock.nowMs(),
    account: flags.account,
    from: flags.from,
    to: flags.to,
    relay: flags.mx === true ? undefined : flags.relay,
    batches: {
      max: flags.batch ?? settingOf("WAYPOST_NOTIFY_BATCH", Number),
      lingerMs: flags.linger ?? settingOf("WAYPOST_NOTIFY_LINGER", durationArgument),
    },
  });
  show(output, simulation, read);
}

export function addSimulateVerb({ program }: Verbs, output: () => Output): void {
  program
    .command("simulate")
    .description(
      "what a customer would get of one mail, alone in its lane, from a relay that behaves so; sends nothing",
    )
    .argument(
      "<script>",
      'e.g. "421 for 3h, then 550", "451 4.7.1 greylisted 2 times, 250", "connect-refused"',
      scriptArgument,
    )
    .option("--schedule <durations>", "waits between attempts, WAYPOST_RETRY_SCHEDULE by default", scheduleArgument)
    .option("--deadline <duration>", "end of the retries, WAYPOST_RETRY_DEADLINE by default", durationArgument)
    .option("--linger <duration>", "longest wait to fill a POST, WAYPOST_NOTIFY_LINGER by default", durationArgument)
    .option("--batch <n>", "most notifications in one POST, WAYPOST_NOTIFY_BATCH by default", countArgument)
    .option("--relay <host>", "the relay's name", "relay.example.com")
    .option("--mx", "the default route in place of a relay")
    .option("--account <account>", "", "demo")
    .option("--from <address>", "", "sender@example.com")
    .option("--to <address>", "", "recipient@example.net")
    .option("--at <time>", "acceptance; now by default", timeArgument)
    .action((script: Script, flags: Flags) => run(script, flags, output()));
}
