// A tracking point on waypost.events: the public body (operator contract, Broker contract) and, in a header, what only the notifier's record needs.
import { z } from "zod";
import { attemptSchema } from "./attempt.ts";
import { jobMetaSchema, notificationSchema } from "./push-notification.ts";

export const eventMessageSchema = z.object({
  version: z.literal("1"),
  meta: jobMetaSchema,
  notification: notificationSchema,
});
export type EventMessage = z.infer<typeof eventMessageSchema>;

/** Travels in the header `waypost-record` as JSON; with the public message too, without endpoint and reference: no secret in it. */
export const eventRecordSchema = z.object({
  /** How many mails the job has: told by every event of the router. */
  mails: z.int().positive().optional(),
  recipient: z.string(),
  sender: z.string(),
  /** `reference` of the mail's entry in the JobRequest. */
  reference: z.string().optional(),
  deadline: z.iso.datetime({ offset: true }),
  lane: z.string().optional(),
  /** The configured relay of the route; "" says the default route. */
  relay: z.string().optional(),
  relayDomain: z.string().optional(),
  attempt: attemptSchema.optional(),
  endpoint: z.string().optional(),
  traceparent: z.string().optional(),
});
export type EventRecord = z.infer<typeof eventRecordSchema>;
