// Accounts: PUT, GET, DELETE and the list (operator contract, Administration API).
import { z } from "zod";
import { inTurn } from "#shared/store/changes.ts";
import { isDuplicateKey } from "#shared/store/connection.ts";
import { accountMistakes, changedAccount, viewAccount } from "./account-change.ts";
import type { AccountInput, AccountView } from "./account-input.ts";
import { accountInput, accountView } from "./account-input.ts";
import type { ApiContext } from "./context.ts";
import { writeChanged } from "./context.ts";
import { accountParams, listOf, newAccountParams, pageQuery } from "./fields.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { badInput, conflict, notFound, Problem } from "./problem.ts";
import { untilSeen } from "./tell-of-change.ts";

const TAG = "Accounts";

const accountWithWaiting = accountView.extend({
  waiting: z.int().optional().describe("while leaving: mails that have not ended yet"),
});
type AccountWithWaiting = z.output<typeof accountWithWaiting>;

interface Put {
  account: string;
  input: AccountInput;
  who: string;
}

async function putAccount(context: ApiContext, { account, input, who }: Put): Promise<AccountView | Problem> {
  const taken = input.brokerUser === undefined ? undefined : await context.accounts.ofBrokerUser(input.brokerUser);
  if (taken !== undefined && taken._id !== account) return brokerUserTaken(input.brokerUser);
  return inTurn(context.store, account, async (session) => {
    const before = await context.accounts.find(account, session);
    if (before?.removedAt !== undefined) {
      return conflict(`account ${account} is being removed; its name is free when its last mail has ended`);
    }
    const mistakes = accountMistakes(input, before);
    if (mistakes.length > 0) return badInput(mistakes);
    const { document, secrets } = await changedAccount(account, input, { before, sealer: context.sealer });
    const from = before === undefined ? undefined : viewAccount(before);
    const to = viewAccount(document);
    const write = { documents: context.accounts, before, after: document };
    await writeChanged(
      context,
      { write, audit: { who, what: `account ${account}`, account, from, to, secrets } },
      session,
    );
    return to;
  });
}

function brokerUserTaken(user: string | undefined): Problem {
  return conflict(`the broker user ${user ?? ""} is another account's`);
}

async function leave(context: ApiContext, account: string, who: string): Promise<AccountWithWaiting | Problem> {
  const left = await inTurn(context.store, account, async (session) => {
    const before = await context.accounts.find(account, session);
    if (before === undefined) return notFound(`account ${account}`);
    const after = { ...before, removedAt: before.removedAt ?? context.clock.now() };
    const audit = {
      who,
      what: `account ${account}`,
      account,
      action: "remove",
      from: viewAccount(before),
      to: viewAccount(after),
    };
    await writeChanged(context, { write: { documents: context.accounts, before, after }, audit }, session);
    return { after, isFirst: before.removedAt === undefined };
  });
  if (left instanceof Problem) return left;
  // Its jobs are refused at once: by the time that this is answered.
  if (left.isFirst) await untilSeen(context);
  return { ...viewAccount(left.after), waiting: await context.mails.waiting(account) };
}

function putOperation(context: ApiContext): Operation {
  return operation({
    method: "PUT",
    path: "/v1/accounts/:account",
    tag: TAG,
    summary: "Create or replace an account",
    description: "Absent secrets (and `notification.authentication`) are kept, `null` removes them.",
    params: newAccountParams,
    query: NOTHING,
    body: accountInput,
    answer: accountView,
    refusals: [409, 422],
    handle: async ({ params, body, who }) => {
      try {
        return await putAccount(context, { account: params.account, input: body, who });
      } catch (error) {
        if (isDuplicateKey(error)) return brokerUserTaken(body.brokerUser);
        throw error;
      }
    },
  });
}

export function accountOperations(context: ApiContext): Operation[] {
  return [
    putOperation(context),
    operation({
      method: "GET",
      path: "/v1/accounts/:account",
      tag: TAG,
      summary: "Show an account",
      params: accountParams,
      query: NOTHING,
      body: NOTHING,
      answer: accountWithWaiting,
      refusals: [404],
      handle: async ({ params }) => {
        const found = await context.accounts.find(params.account);
        if (found === undefined) return notFound(`account ${params.account}`);
        if (found.removedAt === undefined) return viewAccount(found);
        return { ...viewAccount(found), waiting: await context.mails.waiting(params.account) };
      },
    }),
    operation({
      method: "DELETE",
      path: "/v1/accounts/:account",
      tag: TAG,
      summary: "Remove an account",
      description: "It refuses jobs at once, and is gone when its last mail has ended and is notified.",
      params: accountParams,
      query: NOTHING,
      body: NOTHING,
      answer: accountWithWaiting,
      refusals: [404],
      handle: ({ params, who }) => leave(context, params.account, who),
    }),
    operation({
      method: "GET",
      path: "/v1/accounts",
      tag: TAG,
      summary: "List accounts by name",
      params: NOTHING,
      query: pageQuery,
      body: NOTHING,
      answer: listOf(accountView),
      refusals: [],
      handle: async ({ query }) => {
        const { items, ...rest } = await context.accounts.page("", query);
        return { items: items.map(viewAccount), ...rest };
      },
    }),
  ];
}
