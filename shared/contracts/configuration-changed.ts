// Control tells all processes that the configuration was changed (waypost.changed, transient): they look at once. Who does
// not hear it looks a moment later all the same.
import { z } from "zod";
import type { Contracts, Outgoing } from "#shared/broker/actor.ts";
import { EXCHANGES } from "#shared/broker/topology.ts";

const changedSchema = z.object({ version: z.literal(1) });
type Changed = z.infer<typeof changedSchema>;

const TYPE = "configuration-changed";

export const changedContracts: Contracts<Changed> = { [TYPE]: changedSchema };

export function changedMessage(): Outgoing {
  const body: Changed = { version: 1 };
  return { exchange: EXCHANGES.changed, routingKey: "", type: TYPE, body, transient: true };
}
