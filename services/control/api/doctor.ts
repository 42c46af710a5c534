// The check of what the system stands on: what is wrong, and how to mend it.
import { z } from "zod";
import { TOPOLOGY } from "#shared/broker/topology.ts";
import { isRetriable, wordsOf } from "#shared/errors.ts";
import type { Relay } from "#shared/routing/configuration.ts";
import { relayLaneName } from "#shared/routing/lane.ts";
import { ask } from "../commands.ts";
import type { ApiContext } from "./context.ts";
import { wrongDocuments, wrongWith } from "./doctor-documents.ts";
import { withLostSecrets } from "./doctor-secrets.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";

/** A look-up each: of more relays, the first ones stand for all. */
const MOST_HOSTS = 200;
const MOST_DOCUMENTS = 20;
/** Above what delivery waits for DNS servers that say nothing: 16 s (shared/network/resolver.ts). */
const LOOK_UP_TIMEOUT_MS = 25_000;

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
  if (!broker.ready) return [noBroker(broker.failure ?? "no connection")];
  try {
    return [fine("broker", "connected"), ...(await topologyChecks(broker))];
  } catch (error) {
    return [noBroker(wordsOf(error))];
  }
}

function noBroker(detail: string): Check {
  const mend =
    "start RabbitMQ; see AMQP_URL, that its user may configure, write and read all, and delete an exchange that is not as Waypost has it";
  return { check: "broker", ok: false, detail, mend };
}

async function topologyChecks(broker: ApiContext["broker"]): Promise<Check[]> {
  const states = await Promise.all(
    TOPOLOGY.queues.map(async (queue) => {
      const isMissing = (await broker.depth(queue.name)) === undefined;
      return { name: queue.name, isMissing, differs: !isMissing && (await broker.differs(queue)) };
    }),
  );
  const missing = states.filter(({ isMissing }) => isMissing).map(({ name }) => name);
  const different = states.filter(({ differs }) => differs).map(({ name }) => name);
  const restored = "declared again within 30 s; mails that were in it end at their deadline";
  const wrong = [
    { names: missing, what: "missing", mend: `it is ${restored}` },
    {
      names: different,
      what: "not as Waypost declares it",
      mend: `delete it in RabbitMQ once it is empty: it is ${restored}`,
    },
  ].filter(({ names }) => names.length > 0);
  if (wrong.length === 0) return [fine("topology", `${states.length} queues`)];
  return wrong.map(({ names, what, mend }) => ({
    check: "topology",
    ok: false,
    detail: `${what}: ${names.join(", ")}`,
    mend,
  }));
}

async function storeChecks({ store, configuration, deadLetters }: ApiContext): Promise<Check[]> {
  try {
    await store.ping();
  } catch (error) {
    if (!isRetriable(error)) throw error;
    const detail = store.failure ?? "no primary answers";
    return [{ check: "database", ok: false, detail, mend: "start MongoDB, and see MONGODB_URI" }];
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
          mend: "see whether MongoDB answers in time",
        },
    letters === 0
      ? fine("dead letters", "none")
      : { check: "dead letters", ok: false, detail: `${letters}`, mend: "waypost dead list, then waypost dead replay" },
  ];
}

async function documentChecks({ store }: ApiContext): Promise<Check[]> {
  const documents = await wrongDocuments(store);
  if (documents.length === 0) return [fine("documents", "as control writes them")];
  const mend = "it was not written by control: correct it in MongoDB";
  return documents
    .slice(0, MOST_DOCUMENTS)
    .map(({ collection, id, wrong }) => ({ check: `document ${collection} ${id}`, ok: false, detail: wrong, mend }));
}

async function secretChecks({ domains, configuration, sealer }: ApiContext): Promise<Check[]> {
  const current = configuration.current();
  const stored = { accounts: current.accounts(), domains: await domains.withPrefix(""), relays: current.relays() };
  const lost = withLostSecrets(stored, sealer);
  if (lost.length === 0) return [fine("secrets", "each can be opened")];
  const more = lost.length > MOST_DOCUMENTS ? ` and ${lost.length - MOST_DOCUMENTS} more` : "";
  const detail = `no known key opens those of ${lost.slice(0, MOST_DOCUMENTS).join(", ")}${more}`;
  const mend =
    "give back the WAYPOST_SECRET_KEY that they were stored under, as WAYPOST_SECRET_KEY_PREVIOUS, or PUT them again";
  return [{ check: "secrets", ok: false, detail, mend }];
}

function activeRelays({ configuration }: ApiContext): Relay[] {
  const relays = configuration.current().relays();
  return relays.filter(
    (relay) => relay.enabled && relay.removed === undefined && wrongWith("relays", relay) === undefined,
  );
}

const lookedUpSchema = z.object({
  hosts: z.array(z.object({ host: z.string(), ok: z.boolean(), detail: z.string() })),
});

/** Asked of delivery, which has the DNS servers: whether it finds the relays. */
async function dnsChecks(context: ApiContext, relays: readonly Relay[]): Promise<Check[]> {
  const hosts = [...new Set(relays.map(({ host }) => host))].slice(0, MOST_HOSTS);
  const command = { command: "look-up", hosts } as const;
  const asked = await ask(context.broker, "delivery", { command, timeoutMs: LOOK_UP_TIMEOUT_MS });
  const looked = lookedUpSchema.safeParse(asked.kind === "done" ? asked.result : undefined);
  if (!looked.success) {
    const detail = asked.kind === "refused" ? asked.reason : "delivery does not answer";
    return [{ check: "dns", ok: false, detail, mend: "start delivery, or see its log" }];
  }
  const lost = looked.data.hosts.filter(({ ok }) => !ok);
  if (lost.length === 0) return [fine("dns", `${hosts.length} relay names found`)];
  const mend =
    "see WAYPOST_DNS_SERVERS, WAYPOST_STATIC_HOSTS and WAYPOST_ALLOW_NETWORKS of delivery, and the relay's name";
  return lost.map(({ host, detail }) => ({ check: `dns ${host}`, ok: false, detail, mend }));
}

async function relayChecks({ lanes }: ApiContext, relays: readonly Relay[]): Promise<Check[]> {
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

/** Of relays nothing is said where nobody could be asked about them, or which there are is not known. */
export async function examine(context: ApiContext): Promise<Check[]> {
  const base = (await Promise.all([brokerChecks(context), storeChecks(context)])).flat();
  const isBrokerAway = base.some(({ check, ok }) => check === "broker" && !ok);
  if (isBrokerAway || !context.configuration.isFresh) return base;
  const relays = activeRelays(context);
  const rest = await Promise.all([
    documentChecks(context),
    secretChecks(context),
    dnsChecks(context, relays),
    relayChecks(context, relays),
  ]);
  return [...base, ...rest.flat()];
}

function doctorOperation(context: ApiContext): Operation {
  return operation({
    method: "GET",
    path: "/v1/doctor",
    tag: "Operation",
    summary: "What is wrong with broker, database, topology, DNS and relays, and how to mend it",
    params: NOTHING,
    query: NOTHING,
    body: NOTHING,
    answer: z.object({
      checks: z.array(z.object({ check: z.string(), ok: z.boolean(), detail: z.string(), mend: z.string() })),
    }),
    refusals: [],
    handle: async () => ({ checks: await examine(context) }),
  });
}

export function doctorOperations(context: ApiContext): Operation[] {
  return [doctorOperation(context)];
}
