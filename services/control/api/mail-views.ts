// What the API shows of jobs and mails: the schemas of the record's views (shared/store/mail-view.ts).
import { z } from "zod";
import { tlsFactsSchema } from "#shared/contracts/attempt.ts";
import { jobMetaSchema, notificationSchema } from "#shared/contracts/push-notification.ts";
import { MAIL_STATES, MAIL_TYPES } from "#shared/store/mail-search.ts";
import { isoTime } from "./fields.ts";

const routeView = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("relay"), host: z.string() }),
  z.object({ kind: z.literal("mx") }),
]);

export const mailSummary = z
  .object({
    mailId: z.string(),
    jobId: z.string(),
    account: z.string(),
    email: z.string(),
    from: z.string(),
    receivedTs: isoTime,
    reference: z.string().optional().describe("of the mail's entry in the JobRequest"),
    state: z.enum(MAIL_STATES),
    type: z.enum(MAIL_TYPES),
    subType: z.string(),
    route: routeView.optional(),
    finishedTs: isoTime.optional(),
  })
  .meta({ id: "MailSummary" });

const attemptView = z.object({
  attempt: z.int(),
  at: isoTime,
  ms: z.number(),
  host: z.string().optional(),
  address: z.string().optional(),
  localAddress: z.string().optional(),
  outcome: z.enum(["accepted", "deferred", "bounced"]),
  response: z.string(),
  responseCode: z.int().optional(),
  dsn: z.string(),
  step: z.string().optional(),
  tls: tlsFactsSchema.optional(),
  remoteQueueId: z.string().optional(),
  uncertain: z.boolean().optional(),
});

export const mailView = mailSummary
  .extend({
    mimeFrom: z.string().optional(),
    sender: z.string(),
    deadline: isoTime,
    lane: z.string().optional(),
    traceId: z.string().optional(),
    meta: jobMetaSchema,
    trackingPoints: z.array(notificationSchema).describe("oldest first, as in the push notification"),
    attempts: z.array(attemptView),
    notifications: z.array(
      z.object({ at: isoTime, url: z.string(), status: z.int(), error: z.string().optional(), id: z.string() }),
    ),
    late: z.array(notificationSchema).optional().describe("ends that came after the first: a defect"),
    erased: z.literal(true).optional(),
  })
  .meta({ id: "Mail" });

export const jobView = z
  .object({
    jobId: z.string(),
    account: z.string(),
    customerNo: z.string(),
    tenant: z.string().optional(),
    receivedTs: isoTime,
    deadline: isoTime,
    traceId: z.string().optional(),
    referenceJob: z.string().optional(),
    costCenter: z.string().optional(),
    campaignId: z.string().optional(),
    mailCount: z.int().optional().describe("how many mails the job has; `mails` may still lack some"),
    mails: z.array(mailSummary),
  })
  .meta({ id: "Job" });
