// A customer who keeps submitting at a steady rate, and repeats under the same idempotency key what was not accepted.
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiAnswer } from "#test/support/control-client.ts";
import { answerOf } from "#test/support/control-client.ts";
import { uniqueLabel } from "#test/support/addresses.ts";
import { jobOf } from "#test/support/job.ts";
import { basicOf } from "#test/support/system-client.ts";
import type { Ground } from "./ground.ts";
import { RECIPIENT_DOMAIN } from "./ground.ts";

const RECIPIENTS = [1, 1, 1, 1, 3] as const;
const REPEAT_MS = 200;
const ANSWER_MS = 20_000;

export interface LoadPlan {
  jobs: number;
  perSecond: number;
}

export interface AcceptedJob {
  jobId: string;
  /** By performance.now(). */
  submittedMs: number;
  recipients: readonly string[];
}

export interface Load {
  readonly accepted: readonly AcceptedJob[];
  /** Answers other than 202, by status; 0 where there was no answer. */
  readonly refusals: ReadonlyMap<number, number>;
  /** Answers from 500 on that are no 503 with Retry-After. */
  readonly unhelpful: number;
  /** Resolves when every job has been accepted. */
  readonly done: Promise<void>;
}

/** Where REST is served: each ingest in turn. */
function doors(ground: Ground): string[] {
  return ground.system.plan.replicas.flatMap(({ service, env }) =>
    service === "ingest" ? [`http://127.0.0.1:${env["WAYPOST_HTTP_PORT"] ?? ""}`] : [],
  );
}

export async function submitOnce(
  ground: Ground,
  request: { key: string; recipients: readonly string[]; turn?: number },
): Promise<ApiAnswer<{ jobId?: string }> | undefined> {
  const urls = doors(ground);
  const url = urls[(request.turn ?? 0) % urls.length] ?? "";
  try {
    const response = await fetch(`${url}/v1/jobs`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: basicOf(ground.account),
        "idempotency-key": request.key,
      },
      body: JSON.stringify(jobOf(ground.account, request.recipients)),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return await answerOf(response);
  } catch {
    return undefined;
  }
}

export function startLoad(ground: Ground, plan: LoadPlan): Load {
  const accepted: AcceptedJob[] = [];
  const refusals = new Map<number, number>();
  const counts = { unhelpful: 0 };
  const label = uniqueLabel("load");
  const one = async (index: number): Promise<void> => {
    const count = RECIPIENTS[index % RECIPIENTS.length] ?? 1;
    const submittedMs = performance.now();
    const recipients = Array.from({ length: count }, (_, at) => `${label}-${index}-${at}@${RECIPIENT_DOMAIN}`);
    for (let turn = index; ; turn += 1) {
      const answer = await submitOnce(ground, { key: `${label}-${index}`, recipients, turn });
      if (answer?.status === 202)
        return void accepted.push({ jobId: answer.body.jobId ?? "", submittedMs, recipients });
      const status = answer?.status ?? 0;
      refusals.set(status, (refusals.get(status) ?? 0) + 1);
      const isHelpful = status < 500 || (status === 503 && answer?.headers.has("retry-after") === true);
      if (!isHelpful) counts.unhelpful += 1;
      // 409: what was submitted under this key before the fault may still be on its way.
      if (status >= 400 && status < 500 && ![401, 409, 429].includes(status))
        throw new Error(`a job of the load was refused: ${status} ${JSON.stringify(answer?.body)}`);
      await sleep(REPEAT_MS);
    }
  };
  const all = async (): Promise<void> => {
    const startedAt = performance.now();
    const jobs: Promise<void>[] = [];
    for (let index = 0; index < plan.jobs; index += 1) {
      await sleep(Math.max(0, startedAt + (index * 1_000) / plan.perSecond - performance.now()));
      const job = one(index);
      job.catch(() => undefined);
      jobs.push(job);
    }
    await Promise.all(jobs);
  };
  const done = all();
  // Told where it is waited for.
  done.catch(() => undefined);
  return {
    accepted,
    refusals,
    get unhelpful() {
      return counts.unhelpful;
    },
    done,
  };
}
