// A batch of tracking points of one job on its way to one endpoint (waypost.notifications).
import { z } from "zod";
import { MESSAGE_VERSION } from "./mail.ts";
import { pushNotificationSchema } from "./push-notification.ts";

export const batchMessageSchema = z.object({
  version: z.literal(MESSAGE_VERSION),
  batchId: z.string(),
  push: pushNotificationSchema,
  /** The job's own endpoint, sealed; the account's is read when posting. */
  endpoint: z.string().optional(),
  /** POSTs already tried. */
  attempts: z.int().nonnegative(),
  /** End of the tries; ISO 8601. */
  deadline: z.iso.datetime({ offset: true }),
  traceparent: z.string().optional(),
});
export type BatchMessage = z.infer<typeof batchMessageSchema>;
