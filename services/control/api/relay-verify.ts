// Verifying a relay: delivery speaks to it (it has the addresses and the certificates), control keeps what it found.
import { z } from "zod";
import { domainKey } from "#shared/store/configuration.ts";
import type { StoredRelay, VerificationStep } from "#shared/store/relays.ts";
import { ask } from "../commands.ts";
import type { ApiContext } from "./context.ts";
import { Problem, unavailable } from "./problem.ts";
import { verificationStep } from "./relay-input.ts";

const VERIFY_TIMEOUT_MS = 90_000;

export const verificationView = z.object({
  steps: z.array(verificationStep).describe("in order, up to the first that fails"),
});

/** Speaks to the relay as `relay` has it, whether it is configured like that or is to be. */
export async function verifyRelay(
  context: ApiContext,
  relay: StoredRelay,
): Promise<{ steps: VerificationStep[] } | Problem> {
  const { account, domain, host, port, senders, tls, auth } = relay;
  const candidate = { host, port, senders: [...senders], tls, ...(auth === undefined ? {} : { auth }) };
  const asked = await ask(context.broker, "delivery", {
    command: { command: "verify-relay", account, domain, candidate },
    timeoutMs: VERIFY_TIMEOUT_MS,
  });
  if (asked.kind === "unanswered") return unavailable("delivery does not answer");
  if (asked.kind === "refused") return unavailable(asked.reason);
  const read = verificationView.safeParse(asked.result);
  if (!read.success) return unavailable("delivery gave an answer that cannot be read");
  const { steps } = read.data;
  await context.relays.writeVerification({
    _id: domainKey(account, domain),
    at: context.clock.now(),
    host,
    port,
    steps,
  });
  return { steps };
}

/** The refusal of `?verify=require`, or undefined when every step went well. */
export function failedVerification(steps: VerificationStep[], relay: StoredRelay): Problem | undefined {
  const failed = steps.find((step) => !step.ok);
  if (failed === undefined && steps.length > 0) return undefined;
  const detail = failed === undefined ? "no step was made" : `${failed.step}: ${failed.detail}`;
  return new Problem(422, `${relay.host}:${relay.port} fails its verification: ${detail}`, {
    errors: [{ path: "host", message: detail }],
    steps,
  });
}
