// What delivery replicas tell each other, and control, of their lanes (waypost.relay-health, transient).
import { z } from "zod";
import { commandSchema } from "./command.ts";
import { MESSAGE_VERSION } from "./mail.ts";

export const laneHealthSchema = z.object({
  lane: z.string(),
  state: z.enum(["active", "suspended", "held"]),
  inFlight: z.int().nonnegative(),
  since: z.iso.datetime({ offset: true }).optional(),
  reason: z.string().optional(),
  /** What closed the lane: faults of the relay, an operator, or a dedicated IP that no known replica has. */
  cause: z.enum(["breaker", "operator", "address"]).optional(),
  lastResponse: z.string().optional(),
});
export type LaneHealth = z.infer<typeof laneHealthSchema>;

/** A command that one replica took and another can do: it has the dedicated IP to speak from. The answer goes to `replyTo`. */
export const handedCommandSchema = z.object({
  /** The replica that is to do it. */
  to: z.string(),
  command: commandSchema,
  replyTo: z.string(),
  correlationId: z.string(),
});
export type HandedCommand = z.infer<typeof handedCommandSchema>;

export const relayHealthMessageSchema = z.object({
  version: z.literal(MESSAGE_VERSION),
  replica: z.string(),
  at: z.iso.datetime({ offset: true }),
  /** `report`: the state every 2 s; `change`: suspensions and resumptions, at once. */
  kind: z.enum(["report", "change"]),
  lanes: z.array(laneHealthSchema),
  /** Local addresses (dedicated IPs) that this replica can send from. */
  addresses: z.array(z.string()).default([]),
  handed: handedCommandSchema.optional(),
});
export type RelayHealthMessage = z.infer<typeof relayHealthMessageSchema>;
