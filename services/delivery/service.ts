// Delivery: takes mails out of the lanes, makes one attempt each, records and tells what came of it.
import { waitTier, SUSPECT_TIER_MS } from "#shared/broker/topology.ts";
import { declareTiers } from "#shared/declare-tiers.ts";
import type { ServiceContext, ServiceDefinition } from "#shared/service-definition.ts";
import { startDelivery } from "./start-delivery.ts";

export const service: ServiceDefinition<"delivery"> = {
  name: "delivery",
  ports: () => [],
  start: async (context: ServiceContext<"delivery">) => {
    await declareTiers(context, [waitTier(SUSPECT_TIER_MS)]);
    return startDelivery(context);
  },
};
