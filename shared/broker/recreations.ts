// Tells every process that a queue was deleted and declared again (waypost.recreated, transient). A consumer of it may be a
// ghost: RabbitMQ moves the consumers of a deleted quorum queue to a queue of the same name if it finds one by then, counts
// them there, gives them messages up to their prefetch, and drops these on the way (seen with 3.10, not with 4.0). Only a new
// channel helps, and returns what the ghost holds.
import { z } from "zod";
import type { Contracts, Outgoing } from "./actor.ts";
import { EXCHANGES } from "./topology.ts";

const recreatedSchema = z.object({ version: z.literal(1), queue: z.string() });
export type Recreated = z.infer<typeof recreatedSchema>;

const TYPE = "recreated";

export const recreatedContracts: Contracts<Recreated> = { [TYPE]: recreatedSchema };

export function recreatedMessage(queue: string): Outgoing {
  const body: Recreated = { version: 1, queue };
  return { exchange: EXCHANGES.recreated, routingKey: "", type: TYPE, body, transient: true };
}
