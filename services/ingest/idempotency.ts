// A submission with a key (design, Ways in): the same key within 48 hours answers the same job id and sends nothing twice.
import { createHash } from "node:crypto";
import type { Clock } from "#shared/clock.ts";
import { BrokerUnavailable } from "#shared/errors.ts";
import type { Account } from "#shared/routing/configuration.ts";
import type { IdempotencyKeys, KeyedSubmission } from "#shared/store/idempotency.ts";
import { problemOf } from "./problem.ts";
import type { Acceptance, Identity, Submission } from "./submission.ts";

export const MAX_KEY_CHARACTERS = 255;

/** Hash of a parsed body: the same whatever the order of its keys and the white space between them. */
export function hashOf(body: unknown): string {
  const hash = createHash("sha256");
  const feed = (value: unknown): void => {
    if (typeof value === "string") hash.update(`"${value.length}:`).update(value);
    else if (value instanceof Uint8Array) hash.update(`#${value.length}:`).update(value);
    else if (Array.isArray(value)) {
      hash.update(`[${value.length}`);
      for (const item of value) feed(item);
    } else if (typeof value === "object" && value !== null) {
      const entries: [string, unknown][] = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
      hash.update(`{${entries.length}`);
      for (const [key, item] of entries) {
        feed(key);
        feed(item);
      }
    } else hash.update(`${typeof value}:${String(value)};`);
  };
  feed(body);
  return hash.digest("base64url");
}

/** What an account that is gone was answered says nothing to one of the same name. */
function ownerOf({ _id, serial }: Account): string {
  return serial === undefined ? _id : `${_id}/${serial}`;
}

type Perform = (submission: Submission, identity: Identity) => Promise<Acceptance>;

export function createKeyed(
  keys: IdempotencyKeys,
  clock: Clock,
): (submission: Submission, identity: Identity, perform: Perform) => Promise<Acceptance> {
  return async (submission, identity, perform) => {
    const { idempotency, account } = submission;
    if (idempotency === undefined) return perform(submission, identity);
    const { key, bodyHash } = idempotency;
    const keyed: KeyedSubmission = {
      account: ownerOf(account),
      key,
      bodyHash,
      jobId: identity.jobId,
      now: identity.receivedAt,
    };
    const beginning = await keys.begin(keyed);
    switch (beginning.kind) {
      case "done":
        return { kind: "accepted", jobId: beginning.jobId, isRepeated: true };
      case "other-body":
        return refused(422, "The idempotency key came before, with another body.", [
          { path: idempotency.field, message: "used before with another body" },
        ]);
      case "in-progress": {
        const leftMs = beginning.leaseUntil.getTime() - clock.nowMs();
        return {
          ...refused(409, "A submission with this idempotency key is in progress."),
          retryAfterSeconds: Math.max(1, Math.ceil(leftMs / 1_000)),
        };
      }
      case "new":
        return performKeyed({ keys, keyed, isNew: true }, () => perform(submission, identity));
      case "taken-over": {
        const suspect = { jobId: beginning.jobId, suspect: true, receivedAt: beginning.receivedAt };
        return performKeyed({ keys, keyed: { ...keyed, jobId: beginning.jobId }, isNew: false }, () =>
          perform(submission, suspect),
        );
      }
    }
  };
}

function refused(...problem: Parameters<typeof problemOf>): Extract<Acceptance, { kind: "refused" }> {
  return { kind: "refused", problem: problemOf(...problem) };
}

interface Keyed {
  keys: IdempotencyKeys;
  keyed: KeyedSubmission;
  isNew: boolean;
}

async function performKeyed({ keys, keyed, isNew }: Keyed, perform: () => Promise<Acceptance>): Promise<Acceptance> {
  try {
    const acceptance = await perform();
    if (acceptance.kind === "accepted") await keys.finish(keyed, keyed.jobId);
    else if (isNew) await keys.release(keyed, keyed.jobId);
    else await keys.endLease(keyed, keyed.jobId);
    return acceptance;
  } catch (error) {
    // Whether the broker has it is unknown: the caller's next try goes on under the same job id, at once.
    if (error instanceof BrokerUnavailable) await keys.endLease(keyed, keyed.jobId);
    throw error;
  }
}
