// `waypost notify test`: one sample of each tracking point, each in a POST of its own, and what the endpoint said to each.
import type { Clock } from "#shared/clock.ts";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import type { ConfigurationPort } from "#shared/routing/configuration.ts";
import type { Sealer } from "#shared/secrets.ts";
import type { EndpointDetails } from "./endpoint.ts";
import { ofAccount } from "./endpoint.ts";
import type { Poster } from "./post.ts";
import type { SampleAccount } from "./samples.ts";
import { MADE_UP_ACCOUNT, sampleBatches } from "./samples.ts";

export interface TryPorts {
  clock: Clock;
  configuration: Pick<ConfigurationPort, "confirmed">;
  poster: Poster;
  sealer: Sealer;
}

export interface TriedSample {
  type: string;
  subType: string;
  ok: boolean;
  /** 0 where there was no answer. */
  status: number;
  ms: number;
  reason?: string;
}

const MOST_MS = 40_000;

/** The account's own details where the URL is its own; otherwise its signature alone: credentials go nowhere else. */
function detailsFor(settings: EndpointDetails | undefined, account: string, url: string): EndpointDetails {
  if (settings?.url === url) return settings;
  return { account, url, headers: [], signingSecrets: settings?.signingSecrets ?? [] };
}

async function trySample(
  { clock, poster }: TryPorts,
  batch: BatchMessage,
  details: EndpointDetails,
): Promise<TriedSample[]> {
  const startedMs = clock.nowMs();
  const outcome = await poster.post(batch, details);
  return batch.push.notifications.map(({ meta: { event } }) => ({
    type: event.type,
    subType: event.subType,
    ok: outcome.kind === "delivered",
    status: outcome.status,
    ms: clock.nowMs() - startedMs,
    ...(outcome.kind === "delivered" ? {} : { reason: outcome.reason }),
  }));
}

/**
 * Tries as the account would post, by the configuration as it is now: who tries an endpoint has often just changed it. Undefined
 * for an unknown account.
 *
 * @throws ConfigurationStale where the database does not answer.
 */
export async function tryEndpoint(
  ports: TryPorts,
  wanted: { account: string; url: string },
): Promise<readonly TriedSample[] | undefined> {
  const configuration = await ports.configuration.confirmed();
  const account = configuration.account(wanted.account);
  if (account === undefined) return undefined;
  const { notification } = account;
  const own = notification === undefined ? undefined : ofAccount(account._id, notification, ports.sealer);
  return trySamples(ports, account, detailsFor(own, account._id, wanted.url));
}

/** Tries whether an endpoint takes the samples at all: unsigned, and without anybody's credentials. */
export function tryUnsigned(ports: TryPorts, url: string): Promise<readonly TriedSample[]> {
  return trySamples(ports, MADE_UP_ACCOUNT, detailsFor(undefined, MADE_UP_ACCOUNT._id, url));
}

/**
 * One after the other; ends with the first that gets no answer, for the next would get none either, and in time for the
 * one who waits for it.
 */
async function trySamples(
  ports: TryPorts,
  account: SampleAccount,
  details: EndpointDetails,
): Promise<readonly TriedSample[]> {
  const untilMs = ports.clock.nowMs() + MOST_MS;
  const tried: TriedSample[] = [];
  for (const batch of sampleBatches(account, ports.clock)) {
    const samples = await trySample(ports, batch, details);
    tried.push(...samples);
    if (samples.some(({ status }) => status === 0) || ports.clock.nowMs() > untilMs) break;
  }
  return tried;
}
