// One fault under load: the load begins, the fault comes and goes, a new mail shows the recovery, then the count.
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Ground } from "./ground.ts";
import { RECIPIENT_DOMAIN } from "./ground.ts";
import type { Load, LoadPlan } from "./customer.ts";
import { startLoad, submitOnce } from "./customer.ts";
import type { Verdict } from "./verdict.ts";
import { deadLettersOf, judge } from "./verdict.ts";

export interface Fault {
  name: string;
  /** Applies it, and resolves at its end. Throws where the system did not behave meanwhile. */
  apply(ground: Ground, load: Load): Promise<void>;
  /** How many dead letters it makes; none by default. */
  letters?: number;
  /** Part of the load that is submitted before it; a quarter by default. */
  after?: number;
}

export interface Outcome extends Verdict {
  fault: string;
  /** From the fault's end until a mail submitted then was told as delivered. */
  recoveryMs: number;
}

export const RECOVERY_MS = 30_000;
/** Longer than the promise, so that a late recovery is measured and not only missed. */
const PATIENCE_MS = 90_000;
const REPEATS_MS = 120_000;

/** A mail submitted now: milliseconds until the endpoint knows that it was delivered. */
async function recovery(ground: Ground): Promise<number> {
  const since = performance.now();
  const request = { key: uniqueLabel("probe"), recipients: [`${uniqueLabel("probe")}@${RECIPIENT_DOMAIN}`] };
  const jobId = await eventually(async () => {
    const answer = await submitOnce(ground, request);
    return answer?.status === 202 ? answer.body.jobId : undefined;
  }, PATIENCE_MS);
  await eventually(
    () => ground.endpoint.acknowledged.some(({ job, meta }) => job.jobId === jobId && meta.event.state === "FINISHED"),
    PATIENCE_MS,
  );
  return Math.round(performance.now() - since);
}

export async function play(ground: Ground, fault: Fault, plan: LoadPlan): Promise<Outcome> {
  const letters = (await deadLettersOf(ground)).length;
  const load = startLoad(ground, plan);
  const first = Math.floor(plan.jobs * (fault.after ?? 0.25));
  await eventually(() => load.accepted.length >= first, PATIENCE_MS);
  await fault.apply(ground, load);
  const recoveryMs = await recovery(ground);
  await Promise.race([
    load.done,
    eventually(() => load.accepted.length === plan.jobs, REPEATS_MS), // Rejects when the system refuses for ever.
  ]);
  const verdict = await judge(ground, load);
  const made = (await deadLettersOf(ground)).length - letters;
  const expected = fault.letters ?? 0;
  const broken = [
    ...verdict.broken,
    ...(made === expected ? [] : [`${made} dead letters, not ${expected}`]),
    ...(recoveryMs > RECOVERY_MS ? [`recovered after ${recoveryMs} ms`] : []),
  ];
  return { ...verdict, fault: fault.name, recoveryMs, broken };
}

/** The outcomes as a table of Markdown. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((item) => {
    const refused = Object.entries(item.refusals).map(
      ([status, count]) => `${count} x ${status === "0" ? "none" : status}`,
    );
    const kept = item.broken.length === 0 ? "kept" : `broken: ${item.broken.slice(0, 3).join("; ")}`;
    const seconds = (item.recoveryMs / 1_000).toFixed(1);
    return [item.fault, item.jobs, item.mails, refused.join(", "), item.doubles, item.repeats, `${seconds} s`, kept];
  });
  const head = ["Fault", "Jobs", "Mails", "Answers but 202", "Twice at relay", "Told again", "Recovery", "Promise"];
  const line = (cells: readonly unknown[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
