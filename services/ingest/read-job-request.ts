// The submission that a JobRequest is, over REST and the broker, or all its mistakes at once (operator contract, REST submission).
import { z } from "zod";
import { jobRequestSchema } from "#shared/contracts/job-request.ts";
import { senderAddress } from "#shared/contracts/job-request-fields.ts";
import { mistakesOf } from "#shared/contracts/mistakes.ts";
import type { Mistake } from "#shared/contracts/problem.ts";
import { parseMailbox } from "#shared/email/address.ts";
import type { Account } from "#shared/routing/configuration.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import { hashOf } from "./idempotency.ts";
import { mistakesOfSender } from "./sender-domain.ts";
import type { IdempotencyKey, Submission } from "./submission.ts";

export type GivenKey = Omit<IdempotencyKey, "bodyHash"> | { mistake: Mistake };

export interface GivenJob {
  way: Submission["way"];
  account: Account;
  body: unknown;
  key: GivenKey | undefined;
}

export type ReadJob = { ok: true; submission: Submission } | { ok: false; mistakes: readonly Mistake[] };

export async function readJobRequest(given: GivenJob, configuration: Confirmable): Promise<ReadJob> {
  const { way, account, body, key } = given;
  const { success, data: request, error } = jobRequestSchema.safeParse(body);
  const ofKey = key !== undefined && "mistake" in key ? [key.mistake] : [];
  if (success && (key === undefined || "key" in key)) {
    const idempotency = key === undefined ? undefined : { ...key, bodyHash: hashOf(request) };
    return { ok: true, submission: { way, account, content: { kind: "request", request }, idempotency } };
  }
  const ofSender = await mistakesOfSenderIn(body, account, configuration);
  // What may be many comes last: not all are told.
  return { ok: false, mistakes: [...ofKey, ...ofSender, ...(success ? [] : mistakesOf(error))] };
}

const withSender = z.object({ mail: z.object({ from: z.object({ email: senderAddress.shape.email }) }) });

/** A body with other mistakes may have no sender at all: the JobRequest's schema names that. */
async function mistakesOfSenderIn(body: unknown, account: Account, configuration: Confirmable): Promise<Mistake[]> {
  const { success, data } = withSender.safeParse(body);
  return success ? mistakesOfSender(configuration, account, parseMailbox(data.mail.from.email).address) : [];
}
