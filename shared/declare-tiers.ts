// Declares the queues that messages wait in, at a service's start and before anything is taken. A broker that is lost just then
// fails no start: the tiers are declared with the rest of the topology when it is back.
import type { Broker } from "./broker/actor.ts";
import type { Log } from "./log.ts";

type Tier = Parameters<Broker["declareTier"]>[0];

export async function declareTiers(
  { broker, log }: { broker: Pick<Broker, "declareTier">; log: Log },
  tiers: readonly Tier[],
): Promise<void> {
  for (const result of await Promise.allSettled(tiers.map((tier) => broker.declareTier(tier)))) {
    if (result.status === "rejected") log.warn({ err: result.reason as unknown }, "tiers.declared_later");
  }
}
