// One fault under load: the load begins, the fault comes and goes, a new mail shows the recovery, then the count.
import { uniqueLabel } from "#test/support/addresses.ts";
import { eventually } from "#test/support/eventually.ts";
import type { Ground } from "./ground.ts";
import { RECIPIENT_DOMAIN } from "./ground.ts";
import type { Load, LoadPlan } from "./customer.ts";
import { startLoad, submitOnce } from "./customer.ts";
import type { Expected, Verdict } from "./verdict.ts";
import { deadLettersOf, judge, USUAL } from "./verdict.ts";

/** What a fault sees of the load, and says of what it did to it. */
export interface Course {
  readonly load: Load;
  /** So many mails more may be at the relay twice: their sender was killed before it could record them. */
  mayDouble(count: number): void;
  /** What was submitted up to now may have been in a queue that is gone. */
  mayHaveLost(): void;
}

export interface Fault {
  name: string;
  /** Before the load begins. */
  before?(ground: Ground): Promise<void>;
  /** Applies it, and resolves at its end. Throws where the system did not behave meanwhile. */
  apply(ground: Ground, course: Course): Promise<void>;
  /** After the count: puts back what the fault has changed for good. */
  after?(ground: Ground): Promise<void>;
  /** Where it is other than: delivered, and by the relay. */
  expected?: Partial<Expected>;
  /** How many dead letters it makes; none by default. */
  letters?: number;
  /** Part of the load that is submitted before it; a quarter by default. */
  begins?: number;
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

/** Dead letters, doubles and the time of recovery against what the fault may cost. */
function excesses(
  fault: Fault,
  outcome: Omit<Outcome, "broken">,
  limits: { doubles: number; letters: number },
): string[] {
  const expected = fault.letters ?? 0;
  return [
    ...(limits.letters === expected ? [] : [`${limits.letters} dead letters, not ${expected}`]),
    ...(outcome.doubles > limits.doubles ? [`${outcome.doubles} twice, at most ${limits.doubles} were in flight`] : []),
    ...(outcome.recoveryMs > RECOVERY_MS ? [`recovered after ${outcome.recoveryMs} ms`] : []),
  ];
}

export async function play(ground: Ground, fault: Fault, plan: LoadPlan): Promise<Outcome> {
  await fault.before?.(ground);
  const letters = (await deadLettersOf(ground)).length;
  const strays = ground.exchanger.mails.length;
  const load = startLoad(ground, plan);
  const first = Math.floor(plan.jobs * (fault.begins ?? 0.25));
  await eventually(() => load.accepted.length >= first, PATIENCE_MS);
  let mayDouble = 0;
  let exposedUntilMs = 0;
  await fault.apply(ground, {
    load,
    mayDouble: (count) => void (mayDouble += count),
    mayHaveLost: () => void (exposedUntilMs = performance.now()),
  });
  const recoveryMs = await recovery(ground);
  await Promise.race([
    load.done,
    eventually(() => load.accepted.length === plan.jobs, REPEATS_MS), // Rejects when the system refuses for ever.
  ]);
  const verdict = await judge(ground, load, { ...USUAL, strays, exposedUntilMs, ...fault.expected });
  const made = (await deadLettersOf(ground)).length - letters;
  await fault.after?.(ground);
  const outcome = { ...verdict, fault: fault.name, recoveryMs };
  return {
    ...outcome,
    broken: [...verdict.broken, ...excesses(fault, outcome, { doubles: mayDouble, letters: made })],
  };
}

export const COLUMNS = ["Fault", "Answers but 202", "Twice", "Told again", "Recovery", "Promise"] as const;

/** An outcome as a row of the table: see COLUMNS. */
export function rowOf(item: Outcome): (string | number)[] {
  const refused = Object.entries(item.refusals).map(
    ([status, count]) => `${count} x ${status === "0" ? "none" : status}`,
  );
  const cost = item.lost === 0 ? "" : `, ${item.lost} mails gone with the queue`;
  const kept = item.broken.length === 0 ? `kept${cost}` : `broken: ${item.broken.slice(0, 3).join("; ")}`;
  const seconds = (item.recoveryMs / 1_000).toFixed(1);
  return [item.fault, refused.join(", "), item.doubles, item.repeats, `${seconds} s`, kept];
}
