// The audit of changes, and the check of what the system stands on.
import { z } from "zod";
import type { AuditEntry } from "#shared/store/audit.ts";
import { TOPOLOGY } from "#shared/broker/topology.ts";
import { isRetriable } from "#shared/errors.ts";
import { relayLaneName } from "#shared/routing/lane.ts";
import type { ApiContext } from "./context.ts";
import { isoTime, listOf, newestQuery, timestamp } from "./fields.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { present } from "./present.ts";

const auditView = z
  .object({
    id: z.string(),
    at: isoTime,
    who: z.string(),
    what: z.string(),
    action: z.string(),
    account: z.string().optional(),
    from: z.record(z.string(), z.unknown()).optional(),
    to: z.record(z.string(), z.unknown()).optional(),
    secrets: z.array(z.string()).optional().describe("names of the secrets that were set, replaced or removed"),
  })
  .meta({ id: "AuditEntry" });

function viewEntry({ _id, at, who, what, action, account, from, to, secrets }: AuditEntry): z.output<typeof auditView> {
  return {
    id: _id,
    at: at.toISOString(),
    who,
    what,
    action,
    ...present({ account: account === "" ? undefined : account }),
    ...(from === undefined ? {} : { from: { ...from } }),
    ...(to === undefined ? {} : { to: { ...to } }),
    ...(secrets === undefined ? {} : { secrets: [...secrets] }),
  };
}

function auditOperation(context: ApiContext): Operation {
  return operation({
    method: "GET",
    path: "/v1/audit",
    tag: "Operation",
    summary: "Who changed what, when, from what to what; newest first",
    params: NOTHING,
    query: newestQuery.extend({
      account: z.string().optional(),
      since: timestamp.optional(),
      until: timestamp.optional(),
    }),
    body: NOTHING,
    answer: listOf(auditView),
    refusals: [422],
    handle: async ({ query }) => {
      const { items, ...rest } = await context.audit.page(query);
      return { items: items.map(viewEntry), ...rest };
    },
  });
}

interface Check {
  check: string;
  ok: boolean;
  detail: string;
  mend: string;
}

function fine(check: string, detail: string): Check {
  return { check, ok: true, detail, mend: "" };
}

async function brokerChecks({ broker }: ApiContext): Promise<Check[]> {
  if (broker.blocked !== undefined) {
    const mend = "give the broker memory or disk: it takes no messages until the alarm is over";
    return [{ check: "broker", ok: false, detail: `blocked: ${broker.blocked}`, mend }];
  }
  if (!broker.ready) {
    return [{ check: "broker", ok: false, detail: "no connection", mend: "start RabbitMQ, and see AMQP_URL" }];
  }
  const depths = await Promise.all(
    TOPOLOGY.queues.map(async ({ name }) => ({ name, depth: await broker.depth(name) })),
  );
  const missing = depths.filter(({ depth }) => depth === undefined).map(({ name }) => name);
  const mend = "it is declared again within 30 s; mails that were in it end at their deadline";
  return [
    fine("broker", "connected"),
    missing.length === 0
      ? fine("topology", `${depths.length} queues`)
      : { check: "topology", ok: false, detail: `missing: ${missing.join(", ")}`, mend },
  ];
}

async function storeChecks({ store, configuration, deadLetters }: ApiContext): Promise<Check[]> {
  try {
    await store.ping();
  } catch (error) {
    if (!isRetriable(error)) throw error;
    return [{ check: "database", ok: false, detail: "no primary answers", mend: "start MongoDB, and see MONGODB_URI" }];
  }
  const letters = await deadLetters.count();
  return [
    fine("database", "a primary answers"),
    configuration.isFresh
      ? fine("configuration", "fresh")
      : {
          check: "configuration",
          ok: false,
          detail: "not confirmed for 5 s",
          mend: "see the change streams of MongoDB",
        },
    letters === 0
      ? fine("dead letters", "none")
      : { check: "dead letters", ok: false, detail: `${letters}`, mend: "waypost dead list, then waypost dead replay" },
  ];
}

async function relayChecks({ configuration, lanes }: ApiContext): Promise<Check[]> {
  if (!configuration.isFresh) return [];
  const relays = configuration
    .current()
    .relays()
    .filter((relay) => relay.enabled && relay.removed === undefined);
  const states = await Promise.all(
    relays.map(async (relay) => ({
      relay,
      lane: await lanes.of(relayLaneName(relay.account, relay.domain), relay.held),
    })),
  );
  const stopped = states.filter(({ lane }) => lane.state !== "active");
  if (stopped.length === 0) return [fine("relays", `${relays.length}, none suspended`)];
  return stopped.map(({ relay, lane }) => ({
    check: `relay ${relay.account} ${relay.domain}`,
    ok: false,
    detail: `${lane.state}, ${lane.depth} mails wait: ${lane.lastResponse ?? lane.reason ?? relay.host}`,
    mend: lane.state === "held" ? "waypost relay resume" : "waypost relay verify says which step fails",
  }));
}

function doctorOperation(context: ApiContext): Operation {
  return operation({
    method: "GET",
    path: "/v1/doctor",
    tag: "Operation",
    summary: "What is wrong with broker, database, topology and relays, and how to mend it",
    params: NOTHING,
    query: NOTHING,
    body: NOTHING,
    answer: z.object({
      checks: z.array(z.object({ check: z.string(), ok: z.boolean(), detail: z.string(), mend: z.string() })),
    }),
    refusals: [],
    handle: async () => {
      const parts = await Promise.all([brokerChecks(context), storeChecks(context)]);
      const base = parts.flat();
      const relays = base.some(({ check, ok }) => check === "broker" && !ok) ? [] : await relayChecks(context);
      return { checks: [...base, ...relays] };
    },
  });
}

export function auditOperations(context: ApiContext): Operation[] {
  return [auditOperation(context), doctorOperation(context)];
}
