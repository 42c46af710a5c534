// Relays with their lanes (operator contract, Administration API; contract, The Relay Service).
import { z } from "zod";
import { relayLaneName } from "#shared/routing/lane.ts";
import { domainKey } from "#shared/store/configuration.ts";
import type { StoredRelay } from "#shared/store/relays.ts";
import type { ApiContext } from "./context.ts";
import { domainParams, listOf, pageQuery } from "./fields.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { notFound, Problem } from "./problem.ts";
import { putRelay, removeRelay, setHeld } from "./relay-change.ts";
import type { RelayView } from "./relay-input.ts";
import { livingRelay, relayInput, relayView, viewRelay, waitingQuery } from "./relay-input.ts";
import { verificationView, verifyRelay } from "./relay-verify.ts";

const TAG = "Relays";
const PATH = "/v1/accounts/:account/domains/:domain/relay";

async function shownRelays(context: ApiContext, relays: readonly StoredRelay[]): Promise<RelayView[]> {
  const verifications = await context.relays.verificationsOf(relays.map((relay) => relay._id));
  return Promise.all(
    relays.map(async (relay) => {
      const lane = await context.lanes.of(relayLaneName(relay.account, relay.domain), relay.held);
      return viewRelay(relay, lane, verifications.get(relay._id));
    }),
  );
}

async function shown(context: ApiContext, relay: StoredRelay | Problem): Promise<RelayView | Problem> {
  if (relay instanceof Problem) return relay;
  const [view] = await shownRelays(context, [relay]);
  return view ?? notFound("relay");
}

async function living(context: ApiContext, account: string, domain: string): Promise<StoredRelay | Problem> {
  const found = livingRelay(await context.relays.find(domainKey(account, domain)));
  return found ?? notFound(`relay of ${domain} in account ${account}`);
}

function changeOperations(context: ApiContext): Operation[] {
  return [
    operation({
      method: "PUT",
      path: PATH,
      tag: TAG,
      summary: "Create or replace the relay of a sender domain",
      description: "Disabling one while mails wait for it: as DELETE.",
      params: domainParams,
      query: z.strictObject({ verify: z.literal("require").optional(), waiting: waitingQuery }),
      body: relayInput,
      answer: relayView,
      refusals: [404, 409, 422],
      handle: async ({ params, query: { verify, waiting }, body, who }) => {
        const put = { ...params, who, input: body, waiting, mustVerify: verify !== undefined };
        return shown(context, await putRelay(context, put));
      },
    }),
    operation({
      method: "DELETE",
      path: PATH,
      tag: TAG,
      summary: "Remove a relay",
      description: "With mails waiting or in retry: 409 with `waiting`, unless the query says what becomes of them.",
      params: domainParams,
      query: z.strictObject({ waiting: waitingQuery }),
      body: NOTHING,
      answer: z.object({ removed: z.literal(true) }),
      refusals: [404, 409],
      handle: ({ params, query, who }) => removeRelay(context, { ...params, who }, query.waiting),
    }),
  ];
}

function readOperations(context: ApiContext): Operation[] {
  return [
    operation({
      method: "GET",
      path: PATH,
      tag: TAG,
      summary: "Show a relay with its lane",
      params: domainParams,
      query: NOTHING,
      body: NOTHING,
      answer: relayView,
      refusals: [404],
      handle: async ({ params }) => shown(context, await living(context, params.account, params.domain)),
    }),
    operation({
      method: "GET",
      path: "/v1/relays",
      tag: TAG,
      summary: "List all relays with their lanes",
      params: NOTHING,
      query: pageQuery.extend({ account: z.string().optional() }),
      body: NOTHING,
      answer: listOf(relayView),
      refusals: [],
      handle: async ({ query: { account, ...page } }) => {
        const prefix = account === undefined ? "" : `${account}/`;
        const { items, ...rest } = await context.relays.page(prefix, page);
        return {
          items: await shownRelays(
            context,
            items.filter((item) => item.deletedAt === undefined),
          ),
          ...rest,
        };
      },
    }),
  ];
}

function laneOperations(context: ApiContext): Operation[] {
  const common = { method: "POST", tag: TAG, params: domainParams, query: NOTHING, body: NOTHING } as const;
  return [
    operation({
      ...common,
      path: `${PATH}/verify`,
      summary: "Speak to the relay up to the recipient, sending no mail",
      answer: verificationView,
      refusals: [404, 503],
      handle: async ({ params }) => {
        const relay = await living(context, params.account, params.domain);
        return relay instanceof Problem ? relay : verifyRelay(context, relay);
      },
    }),
    ...(["suspend", "resume"] as const).map((verb) =>
      operation({
        ...common,
        path: `${PATH}/${verb}`,
        summary: verb === "suspend" ? "Hold the lane: its mails wait" : "End the hold and reset the breakers",
        answer: relayView,
        refusals: [404],
        handle: async ({ params, who }) =>
          shown(context, await setHeld(context, { ...params, who }, verb === "suspend")),
      }),
    ),
  ];
}

export function relayOperations(context: ApiContext): Operation[] {
  return [...changeOperations(context), ...readOperations(context), ...laneOperations(context)];
}
