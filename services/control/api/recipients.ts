// An account's suppression list, and the state of its push endpoint: the router's and the notifier's, changed by commands.
import { z } from "zod";
import { parseAddress } from "#shared/email/address.ts";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import { displayUrl } from "#shared/store/endpoints.ts";
import type { Suppression } from "#shared/store/suppressions.ts";
import { suppressionIdOf } from "#shared/store/suppressions.ts";
import { decodeCursor, pageOf } from "#shared/store/documents.ts";
import { ask } from "../commands.ts";
import type { ApiContext } from "./context.ts";
import { audited } from "./context.ts";
import { accountParams, isoTime, line, listOf, pageQuery } from "./fields.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { present } from "./present.ts";
import { badInput, notFound, Problem, unavailable } from "./problem.ts";

const TAG = "Suppressions";
const PATH = "/v1/accounts/:account/suppressions";

const suppressionView = z
  .object({
    email: z.string(),
    kind: z.enum(["bounce", "manual"]),
    listedAt: isoTime,
    until: isoTime.optional().describe("absent: until it is taken off"),
    reason: z.string().optional(),
  })
  .meta({ id: "Suppression" });
type SuppressionView = z.output<typeof suppressionView>;

const emailParams = accountParams.extend({ email: z.string() });

function viewSuppression({ email, kind, listedAt, until, bounce, reason }: Suppression): SuppressionView {
  return {
    email,
    kind,
    listedAt: listedAt.toISOString(),
    ...present({ until: until?.toISOString(), reason: reason ?? bounce?.reason }),
  };
}

async function accountMissing(context: ApiContext, account: string): Promise<Problem | undefined> {
  return (await context.accounts.find(account)) === undefined ? notFound(`account ${account}`) : undefined;
}

async function found(context: ApiContext, account: string, email: string): Promise<Suppression | undefined> {
  const id = suppressionIdOf(account, email);
  return (await context.suppressions.find([id])).get(id);
}

function listOperation(context: ApiContext): Operation {
  return operation({
    method: "GET",
    path: PATH,
    tag: TAG,
    summary: "List the recipients that an account's mails are dropped for",
    params: accountParams,
    query: pageQuery,
    body: NOTHING,
    answer: listOf(suppressionView),
    refusals: [404],
    handle: async ({ params: { account }, query }) => {
      const missing = await accountMissing(context, account);
      if (missing !== undefined) return missing;
      const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
      const page = { ...present({ cursor: after }), limit: query.limit + 1 };
      const entries = await context.suppressions.list(account, page);
      const { items, ...rest } = pageOf([...entries], query.limit, (entry) => entry.email);
      return { items: items.map(viewSuppression), ...rest };
    },
  });
}

const suppressionInput = z.strictObject({
  until: z.iso.datetime({ offset: true }).optional().describe("absent: until it is taken off"),
  reason: line(500).optional(),
});

async function suppress(
  context: ApiContext,
  entry: { account: string; email: string; who: string },
  body: z.output<typeof suppressionInput>,
): Promise<SuppressionView | Problem> {
  const { account, email, who } = entry;
  const missing = await accountMissing(context, account);
  if (missing !== undefined) return missing;
  if (parseAddress(email) === undefined) return badInput([{ path: "email", message: "no address" }]);
  const before = await found(context, account, email);
  const asked = await ask(context.broker, "router", {
    command: { command: "suppress", account, email, ...present(body) },
  });
  if (asked.kind === "refused") return badInput([{ path: "email", message: asked.reason }]);
  if (asked.kind === "unanswered") return unavailable("the router does not answer");
  const after = await found(context, account, email);
  const to = after === undefined ? undefined : viewSuppression(after);
  const from = before === undefined ? undefined : viewSuppression(before);
  await audited(context, { who, what: `suppression ${account}/${comparableAddress(email)}`, account, from, to });
  return to ?? unavailable("the router has not listed it yet");
}

function changeOperations(context: ApiContext): Operation[] {
  const common = { path: `${PATH}/:email`, tag: TAG, params: emailParams, query: NOTHING } as const;
  return [
    operation({
      ...common,
      method: "PUT",
      summary: "Put a recipient on the list",
      body: suppressionInput,
      answer: suppressionView,
      refusals: [404, 422, 503],
      handle: ({ params, body, who }) => suppress(context, { ...params, who }, body),
    }),
    operation({
      ...common,
      method: "DELETE",
      summary: "Take a recipient off the list",
      body: NOTHING,
      answer: z.object({ removed: z.literal(true) }),
      refusals: [404, 503],
      handle: async ({ params: { account, email }, who }) => {
        const missing = await accountMissing(context, account);
        const before = missing === undefined ? await found(context, account, email) : undefined;
        if (before === undefined) return missing ?? notFound(`suppression of ${email} in account ${account}`);
        const asked = await ask(context.broker, "router", { command: { command: "unsuppress", account, email } });
        if (asked.kind !== "done") return unavailable("the router does not answer");
        const what = `suppression ${account}/${comparableAddress(email)}`;
        await audited(context, { who, what, account, from: viewSuppression(before) });
        return { removed: true as const };
      },
    }),
  ];
}

const endpointView = z
  .object({
    url: z.string(),
    state: z.enum(["open", "slowed", "off"]),
    since: isoTime.optional().describe("absent where nothing was posted yet"),
    until: isoTime.optional().describe("nothing is posted before: it asked for that"),
    lastAnswer: z.object({ at: isoTime, status: z.int(), error: z.string().optional() }).optional(),
  })
  .meta({ id: "Endpoint" });

async function endpointOf(context: ApiContext, account: string): Promise<z.output<typeof endpointView> | Problem> {
  const stored = await context.accounts.find(account);
  if (stored?.notification === undefined) {
    return notFound(stored === undefined ? `account ${account}` : `push endpoint of account ${account}`);
  }
  const state = await context.endpoints.get(account, stored.notification.url);
  const url = displayUrl(stored.notification.url);
  if (state === undefined) return { url, state: "open" };
  const { lastAnswer, since, until } = state;
  return {
    url,
    state: state.state,
    since: since.toISOString(),
    ...present({ until: until?.toISOString() }),
    ...(lastAnswer === undefined ? {} : { lastAnswer: { ...lastAnswer, at: lastAnswer.at.toISOString() } }),
  };
}

function endpointOperations(context: ApiContext): Operation[] {
  const path = "/v1/accounts/:account/endpoint";
  const common = {
    tag: "Notifications",
    params: accountParams,
    query: NOTHING,
    body: NOTHING,
    answer: endpointView,
  } as const;
  return [
    operation({
      ...common,
      method: "GET",
      path,
      summary: "State of an account's push endpoint",
      refusals: [404],
      handle: ({ params }) => endpointOf(context, params.account),
    }),
    operation({
      ...common,
      method: "POST",
      path: `${path}/enable`,
      summary: "Switch an account's push endpoint on again",
      refusals: [404, 503],
      handle: async ({ params: { account }, who }) => {
        const before = await endpointOf(context, account);
        if (before instanceof Problem) return before;
        const asked = await ask(context.broker, "notifier", { command: { command: "enable-endpoint", account } });
        if (asked.kind !== "done") return unavailable("the notifier does not answer");
        const after = await endpointOf(context, account);
        if (after instanceof Problem) return after;
        const audit = { from: { state: before.state }, to: { state: after.state } };
        await audited(context, { who, what: `endpoint of ${account}`, account, action: "enable", ...audit });
        return after;
      },
    }),
  ];
}

export function recipientOperations(context: ApiContext): Operation[] {
  return [listOperation(context), ...changeOperations(context), ...endpointOperations(context)];
}
