// Jobs and mails read back from the record, and the erasure of a recipient.
import { z } from "zod";
import { parseAddress, parseMailbox } from "#shared/email/address.ts";
import type { MailQuery } from "#shared/store/mail-search.ts";
import { MAIL_STATES, MAIL_TYPES } from "#shared/store/mail-search.ts";
import { ask } from "../commands.ts";
import type { ApiContext } from "./context.ts";
import { audited } from "./context.ts";
import { listOf, newestQuery, timestamp } from "./fields.ts";
import { jobView, mailSummary, mailView } from "./mail-views.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { badInput, notFound, unavailable } from "./problem.ts";

const TAG = "Mails";

const mailQuery = newestQuery.extend({
  account: z.string().optional(),
  recipient: z.string().optional(),
  sender: z.string().optional(),
  state: z
    .string()
    .toUpperCase()
    .pipe(z.enum([...MAIL_STATES, ...MAIL_TYPES], { error: `one of ${[...MAIL_STATES, ...MAIL_TYPES].join(", ")}` }))
    .optional()
    .describe("a state of a tracking point, or its type"),
  route: z.string().optional().describe("`mx`, `relay` (any), or the name of a relay"),
  queueId: z.string().optional().describe("the relay's own"),
  since: timestamp.optional().describe("received at this moment or later"),
  until: timestamp.optional().describe("received before this moment"),
});

function readOperations(context: ApiContext): Operation[] {
  const common = { method: "GET", tag: TAG, body: NOTHING } as const;
  return [
    operation({
      ...common,
      path: "/v1/jobs/:jobId",
      summary: "Show a job with its mails",
      params: z.object({ jobId: z.string() }),
      query: NOTHING,
      answer: jobView,
      refusals: [404],
      handle: async ({ params }) => {
        const job = await context.mails.job(params.jobId);
        return job === undefined ? notFound(`job ${params.jobId}`) : { ...job, mails: [...job.mails] };
      },
    }),
    operation({
      ...common,
      path: "/v1/mails/:mailId",
      summary: "Show a mail with its timeline, attempts and notifications",
      params: z.object({ mailId: z.string() }),
      query: NOTHING,
      answer: mailView.loose(),
      refusals: [404],
      handle: async ({ params }) => {
        const mail = await context.mails.mail(params.mailId);
        return mail === undefined
          ? notFound(`mail ${params.mailId}`)
          : (structuredClone(mail) as z.output<typeof mailView>);
      },
    }),
    operation({
      ...common,
      path: "/v1/mails",
      summary: "Search mails, newest first",
      params: NOTHING,
      query: mailQuery,
      answer: listOf(mailSummary),
      refusals: [422],
      handle: async ({ query }) => {
        const { items, ...rest } = await context.mails.search(query satisfies MailQuery);
        return { items: [...items], ...rest };
      },
    }),
  ];
}

const counts = z
  .object({ mails: z.int().catch(0), notifications: z.int().catch(0), removed: z.int().catch(0) })
  .partial();

function erasureOperation(context: ApiContext): Operation {
  return operation({
    method: "POST",
    path: "/v1/erasures",
    tag: "Operation",
    summary: "Erase one recipient's personal data from the record; counts stay",
    params: NOTHING,
    query: NOTHING,
    body: z.strictObject({ email: z.string() }),
    answer: z.object({ mails: z.int(), notifications: z.int(), suppressions: z.int() }),
    refusals: [422, 503],
    handle: async ({ body, who }) => {
      const { address } = parseMailbox(body.email);
      if (parseAddress(address) === undefined) return badInput([{ path: "email", message: "no address" }]);
      const command = { command: "erase", email: address } as const;
      const [record, list] = [
        await ask(context.broker, "notifier", { command, timeoutMs: 60_000 }),
        await ask(context.broker, "router", { command }),
      ];
      if (record.kind !== "done" || list.kind !== "done")
        return unavailable("notifier or router did not answer; erase again");
      const { mails = 0, notifications = 0 } = counts.parse(record.result);
      const { removed: suppressions = 0 } = counts.parse(list.result);
      const to = { mails, notifications, suppressions };
      await audited(context, { who, what: "erasure of a recipient", account: "", action: "erase", to });
      return to;
    },
  });
}

export function mailOperations(context: ApiContext): Operation[] {
  return [...readOperations(context), erasureOperation(context)];
}
