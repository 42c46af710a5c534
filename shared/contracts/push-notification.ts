// The push notification, exactly as the contract has it; one entry with its meta is also the body on waypost.events.
import { z } from "zod";
import { trackingPointSchema } from "./tracking-point.ts";

export const jobMetaSchema = z.object({
  account: z.string(),
  customerNo: z.string(),
  tenant: z.string().optional(),
  receivedTs: z.iso.datetime({ offset: true }),
  jobId: z.string(),
  version: z.literal("1"),
  referenceJob: z.string().optional(),
  costCenter: z.string().optional(),
  campaignId: z.string().optional(),
});
export type JobMeta = z.infer<typeof jobMetaSchema>;

export const smtpContentSchema = z.object({
  responseCode: z.string().optional(),
  reason: z.string().optional(),
  relay: z.string().optional(),
  dsn: z.string(),
  transportEncryption: z
    .object({
      requested: z.boolean().optional(),
      established: z.boolean().optional(),
      properties: z.object({ protocol: z.string().optional(), cipherSuite: z.string().optional() }).optional(),
    })
    .optional(),
});
export type SmtpContent = z.infer<typeof smtpContentSchema>;

export const notificationSchema = z.object({
  meta: z.object({
    tag: z.string().regex(/^[0-9a-f]{64}$/),
    mail: z.object({ id: z.string(), email: z.string(), from: z.string(), mimeFrom: z.string().optional() }),
    event: trackingPointSchema.extend({
      ts: z.iso.datetime({ offset: true }),
      description: z.string().optional(),
    }),
  }),
  content: z
    .object({
      mime: z.object({ messageId: z.string().optional(), size: z.string().optional() }).optional(),
      smtp: smtpContentSchema.optional(),
    })
    .optional(),
});
export type Notification = z.infer<typeof notificationSchema>;

export const pushNotificationSchema = z.object({
  meta: jobMetaSchema,
  notifications: z.array(notificationSchema).min(1),
});
export type PushNotification = z.infer<typeof pushNotificationSchema>;
