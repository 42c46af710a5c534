// What could not be handled or notified: dead letters (control's own) and dead push notifications (the notifier's).
import { z } from "zod";
import { endpointUrl } from "#shared/contracts/endpoint-rules.ts";
import type { StoredDeadLetter } from "#shared/store/dead-letters.ts";
import { ask } from "../commands.ts";
import { replayMessage } from "../dead-letters.ts";
import type { ApiContext } from "./context.ts";
import { audited } from "./context.ts";
import { isoTime, listOf, newestQuery, pageQuery } from "./fields.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { present } from "./present.ts";
import type { Problem } from "./problem.ts";
import { badInput, conflict, notFound, unavailable } from "./problem.ts";

const PUBLISH_TIMEOUT_MS = 10_000;
const REPLAY_TIMEOUT_MS = 60_000;
const ofAccount = { account: z.string().optional() };

const deadLetterView = z
  .object({
    id: z.string(),
    at: isoTime,
    reason: z.string(),
    queue: z.string().describe("the queue it died in"),
    exchange: z.string(),
    routingKey: z.string(),
    type: z.string(),
    bytes: z.int(),
    account: z.string().optional(),
    jobId: z.string().optional(),
    mailId: z.string().optional(),
    messageId: z.string().optional(),
  })
  .meta({ id: "DeadLetter" });

function viewLetter(letter: StoredDeadLetter): z.output<typeof deadLetterView> {
  const { _id, at, reason, queue, exchange, routingKey, type, bytes, account, jobId, mailId, messageId } = letter;
  const shown = { id: _id, at: at.toISOString(), reason, queue, exchange, routingKey, type, bytes };
  return { ...shown, ...present({ account, jobId, mailId, messageId }) };
}

/** Whether the mail or the job of a letter has ended: what would be sent then has nothing to wait for it. */
async function hasEnded(context: ApiContext, letter: StoredDeadLetter): Promise<boolean> {
  if (["mail", "deferred"].includes(letter.type) && letter.mailId !== undefined) {
    return (await context.mails.hasEnded(letter.mailId)) === true;
  }
  if (letter.type !== "job" || letter.jobId === undefined) return false;
  const job = await context.mails.job(letter.jobId);
  return (
    job !== undefined &&
    job.mails.length >= (job.mailCount ?? 1) &&
    job.mails.every(({ state }) => state === "FINISHED")
  );
}

async function replayLetter(context: ApiContext, id: string, who: string): Promise<{ replayed: true } | Problem> {
  const letter = await context.deadLetters.find(id);
  if (letter === undefined || letter.replayedAt !== undefined) return notFound(`dead letter ${id}`);
  if (await hasEnded(context, letter)) {
    return conflict(`the mail of this message has ended: what became of it is told already`);
  }
  const message = replayMessage(letter, await context.deadLetters.body(id), context.sealer);
  await context.broker.publish([message], { timeoutMs: PUBLISH_TIMEOUT_MS });
  await context.deadLetters.markReplayed(letter, context.clock.now());
  const account = letter.account ?? "";
  await audited(context, { who, what: `dead letter ${id}`, account, action: "replay", to: { queue: letter.queue } });
  return { replayed: true as const };
}

function letterOperations(context: ApiContext): Operation[] {
  const tag = "Dead letters";
  return [
    operation({
      method: "GET",
      path: "/v1/dead-letters",
      tag,
      summary: "List messages that no service could handle, newest first",
      params: NOTHING,
      query: newestQuery.extend(ofAccount),
      body: NOTHING,
      answer: listOf(deadLetterView),
      refusals: [],
      handle: async ({ query }) => {
        const { items, ...rest } = await context.deadLetters.page(query);
        return { items: items.map(viewLetter), ...rest };
      },
    }),
    operation({
      method: "POST",
      path: "/v1/dead-letters/:id/replay",
      tag,
      summary: "Publish a dead letter again; 409 for a mail that has ended",
      params: z.object({ id: z.string() }),
      query: NOTHING,
      body: NOTHING,
      answer: z.object({ replayed: z.literal(true) }),
      refusals: [404, 409, 503],
      handle: ({ params, who }) => replayLetter(context, params.id, who),
    }),
  ];
}

const deadNotificationView = z
  .object({
    id: z.string(),
    jobId: z.string(),
    account: z.string(),
    url: z.string(),
    reason: z.string(),
    at: isoTime,
    attempts: z.int(),
    notifications: z.int().describe("how many tracking points it holds"),
  })
  .meta({ id: "DeadNotification" });

const replayInput = z
  .strictObject({ account: z.string().min(1).optional(), ids: z.array(z.string()).min(1).max(1_000).optional() })
  .refine(({ account, ids }) => (account === undefined) !== (ids === undefined), { error: "either account or ids" });
const replayedSchema = z.object({
  replayed: z.int(),
  hasMore: z.literal(true).optional().describe("30 s were not enough for all of them: replay again"),
});

async function replayNotifications(
  context: ApiContext,
  choice: z.output<typeof replayInput>,
  who: string,
): Promise<z.output<typeof replayedSchema> | Problem> {
  const { account } = choice;
  if (account !== undefined && (await context.accounts.find(account)) === undefined)
    return notFound(`account ${account}`);
  const asked = await ask(context.broker, "notifier", {
    command: { command: "replay-notifications", ...present(choice) },
    timeoutMs: REPLAY_TIMEOUT_MS,
  });
  if (asked.kind === "refused") return badInput([{ path: ".", message: asked.reason }]);
  const answer = replayedSchema.safeParse(asked.kind === "done" ? asked.result : undefined);
  if (!answer.success) return unavailable("the notifier does not answer");
  const to = answer.data;
  await audited(context, { who, what: "dead notifications", account: account ?? "", action: "replay", to });
  return to;
}

function notificationOperations(context: ApiContext): Operation[] {
  const tag = "Notifications";
  return [
    operation({
      method: "GET",
      path: "/v1/notifications/dead",
      tag,
      summary: "List push notifications that no endpoint took in time",
      params: NOTHING,
      query: pageQuery.extend(ofAccount),
      body: NOTHING,
      answer: listOf(deadNotificationView),
      refusals: [],
      handle: async ({ query }) => {
        const { items, ...rest } = await context.deadNotifications.list(query);
        return { items: [...items], ...rest };
      },
    }),
    operation({
      method: "POST",
      path: "/v1/notifications/dead/replay",
      tag,
      summary: "Post dead notifications again, with the same tags",
      params: NOTHING,
      query: NOTHING,
      body: replayInput,
      answer: replayedSchema,
      refusals: [404, 422, 503],
      handle: ({ body, who }) => replayNotifications(context, body, who),
    }),
    testOperation(context),
  ];
}

const triedSample = z.object({
  type: z.string(),
  subType: z.string(),
  ok: z.boolean(),
  status: z.int().describe("0 where there was no answer"),
  ms: z.number(),
  reason: z.string().optional(),
});
const triedSamples = z.object({ samples: z.array(triedSample) });

function testOperation(context: ApiContext): Operation {
  return operation({
    method: "POST",
    path: "/v1/notifications/test",
    tag: "Notifications",
    summary: "Post one sample of each tracking point to an endpoint, each in a POST of its own",
    description:
      "Ends with the first that gets no answer. With an account, the samples are its own: signed as it signs, and with its headers and credentials where the URL is its endpoint. Without, they are a made-up account's, and unsigned.",
    params: NOTHING,
    query: NOTHING,
    body: z.strictObject({ url: endpointUrl({ mayHaveCredentials: true }), account: z.string().min(1).optional() }),
    answer: z.object({ items: z.array(triedSample) }),
    refusals: [404, 422, 503],
    handle: async ({ body: { url, account } }) => {
      if (account !== undefined && (await context.accounts.find(account)) === undefined)
        return notFound(`account ${account}`);
      const command = { command: "test-endpoint", ...present({ account }), url } as const;
      const asked = await ask(context.broker, "notifier", { command, timeoutMs: REPLAY_TIMEOUT_MS });
      if (asked.kind === "refused") return badInput([{ path: "url", message: asked.reason }]);
      const answer = triedSamples.safeParse(asked.kind === "done" ? asked.result : undefined);
      return answer.success ? { items: answer.data.samples } : unavailable("the notifier does not answer");
    },
  });
}

export function deadOperations(context: ApiContext): Operation[] {
  return [...letterOperations(context), ...notificationOperations(context)];
}
