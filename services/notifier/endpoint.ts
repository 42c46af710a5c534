// Where a batch goes: the job's own endpoint details, or the account's as they are now; never a mixture
// (contract, JobRequest over SMTP: they replace the account's as a whole, its signing secrets included).
import { z } from "zod";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import type { Account, EndpointSettings } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";

export interface EndpointDetails {
  account: string;
  url: string;
  headers: readonly { name: string; value: string }[];
  basic?: { user: string; password: string };
  /** Newest first; empty: not signed. */
  signingSecrets: readonly string[];
  /** It came with a job, and is not the account's. */
  isJobs?: true;
}

export type EndpointChoice = { kind: "endpoint"; details: EndpointDetails } | { kind: "none"; reason: string };

const headersSchema = z.union([
  z.array(z.object({ name: z.string(), value: z.string() })),
  z
    .record(z.string(), z.string())
    .transform((headers) => Object.entries(headers).map(([name, value]) => ({ name, value }))),
]);

/** A job's endpoint details as ingest seals them. */
const jobEndpointSchema = z.object({
  url: z.string(),
  headers: headersSchema.optional(),
  authentication: z.object({ method: z.literal("BASIC"), user: z.string(), password: z.string() }).optional(),
});

function ofJob(name: string, clear: string, account: Account | undefined): EndpointChoice {
  const parsed = jobEndpointSchema.safeParse(parseJson(clear));
  if (!parsed.success) return { kind: "none", reason: "the job's endpoint details cannot be read" };
  const { url, headers, authentication } = parsed.data;
  return {
    kind: "endpoint",
    details: {
      account: name,
      url,
      headers: headers ?? [],
      ...(authentication === undefined ? {} : { basic: authentication }),
      signingSecrets: [],
      ...(url === account?.notification?.url ? {} : { isJobs: true }),
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** An account's endpoint with its secrets opened. */
export function ofAccount(account: string, settings: EndpointSettings, sealer: Sealer): EndpointDetails {
  const { authentication, signingSecret, previousSigningSecret } = settings;
  const sealedSecrets = [signingSecret, previousSigningSecret].filter((secret) => secret !== undefined);
  return {
    account,
    url: settings.url,
    headers: (settings.headers ?? []).map(({ name, value, isSealed }) => ({
      name,
      value: isSealed === true ? sealer.open(value) : value,
    })),
    ...(authentication === undefined
      ? {}
      : { basic: { user: authentication.user, password: sealer.open(authentication.password) } }),
    signingSecrets: signingSecret === undefined ? [] : sealedSecrets.map((secret) => sealer.open(secret)),
  };
}

/** The job's own endpoint, or the account's. Throws SECRET_UNREADABLE where a secret's key is lost. */
export function endpointOf(
  batch: Pick<BatchMessage, "push" | "endpoint">,
  account: Account | undefined,
  sealer: Sealer,
): EndpointChoice {
  const name = batch.push.meta.account;
  if (batch.endpoint !== undefined) return ofJob(name, sealer.open(batch.endpoint), account);
  const settings = account?.notification;
  if (settings === undefined) return { kind: "none", reason: "the account has no endpoint" };
  return { kind: "endpoint", details: ofAccount(name, settings, sealer) };
}
