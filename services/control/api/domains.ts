// Sender domains of an account: PUT, GET, DELETE and the list; message signing excludes a relay (contract, Relay Service 5).
import { z } from "zod";
import type { SenderDomain } from "#shared/routing/configuration.ts";
import type { Session } from "#shared/store/changes.ts";
import { inTurn } from "#shared/store/changes.ts";
import { domainKey } from "#shared/store/configuration.ts";
import type { StoredRelay } from "#shared/store/relays.ts";
import type { ApiContext } from "./context.ts";
import { audited, writeChanged } from "./context.ts";
import { accountParams, domainParams, isoTime, listOf, newDomainParams, pageQuery } from "./fields.ts";
import type { Operation } from "./operation.ts";
import { NOTHING, operation } from "./operation.ts";
import { present } from "./present.ts";
import type { Mistake } from "#shared/contracts/problem.ts";
import { badInput, conflict, notFound, Problem } from "./problem.ts";
import { kept, opened, resealed } from "./sealed.ts";
import { checkSigning, KEY_IS_LOST, viewSigning } from "./signing.ts";

const TAG = "Domains";
const LONGEST_PEM = 100_000;

const domainInput = z.strictObject({
  messageSigning: z.boolean().default(false),
  signing: z
    .strictObject({
      certificate: z.string().min(1).max(LONGEST_PEM).describe("PEM, with its chain"),
      privateKey: z.string().min(1).max(LONGEST_PEM).optional().describe("PEM; kept when left out"),
    })
    .nullable()
    .optional()
    .describe("kept when left out; null removes it"),
});
type DomainInput = z.output<typeof domainInput>;

const domainView = z
  .object({
    account: z.string(),
    domain: z.string(),
    messageSigning: z.boolean(),
    signing: z
      .object({
        subject: z.string(),
        addresses: z.array(z.string()),
        notBefore: isoTime,
        notAfter: isoTime,
        warning: z.string().optional(),
      })
      .optional(),
    dkim: z.object({ selector: z.string(), relayed: z.boolean() }).optional(),
  })
  .meta({ id: "Domain" });
type DomainView = z.output<typeof domainView>;

function viewDomain(domain: SenderDomain, now: Date): DomainView {
  const { dkim } = domain;
  const signing = domain.signing === undefined ? undefined : viewSigning(domain.signing.certificate, now);
  return {
    account: domain.account,
    domain: domain.domain,
    messageSigning: domain.messageSigning,
    ...present({ signing }),
    ...(dkim === undefined ? {} : { dkim: { selector: dkim.selector, relayed: dkim.relayed } }),
  };
}

interface Named {
  account: string;
  domain: string;
  who: string;
}

/** A relay that mails may take: neither disabled nor a tombstone. */
export function isRelayOn(relay: StoredRelay | undefined): boolean {
  return relay !== undefined && relay.deletedAt === undefined && relay.enabled;
}

type Signing = NonNullable<SenderDomain["signing"]>;

function changedSigning(
  context: ApiContext,
  given: DomainInput["signing"],
  before: Signing | undefined,
): Signing | Problem | undefined {
  if (given === undefined) return kept(before, "privateKey", context.sealer);
  if (given === null) return undefined;
  const privateKey = resealed(given.privateKey, before?.privateKey, context.sealer);
  if (privateKey === undefined) return badInput([{ path: "signing.privateKey", message: "required" }]);
  return { certificate: given.certificate, privateKey };
}

/** Material that is sent is always checked; what is stored, when it is to sign. */
function signingMistakes(context: ApiContext, after: SenderDomain, input: DomainInput): Mistake[] {
  if (after.signing === undefined) {
    if (!after.messageSigning) return [];
    const message = `no certificate for an address of ${after.domain} is stored or sent`;
    return [{ path: "messageSigning", message }];
  }
  const isSent = input.signing !== undefined && input.signing !== null;
  if (!isSent && !after.messageSigning) return [];
  const privateKey = opened(after.signing.privateKey, context.sealer);
  if (privateKey === undefined) return [{ path: "signing.privateKey", message: `${KEY_IS_LOST}; send it again` }];
  return checkSigning({ certificate: after.signing.certificate, privateKey }, after.domain, context.clock.now());
}

async function putDomain(context: ApiContext, named: Named, input: DomainInput): Promise<DomainView | Problem> {
  const { account, domain } = named;
  const key = domainKey(account, domain);
  return inTurn(context.store, account, async (session) => {
    if ((await context.accounts.find(account, session)) === undefined) return notFound(`account ${account}`);
    const before = await context.domains.find(key, session);
    if (input.messageSigning && isRelayOn(await context.relays.find(key, session))) {
      return conflict(`${domain} has a relay, which excludes message signing`);
    }
    const signing = changedSigning(context, input.signing, before?.signing);
    if (signing instanceof Problem) return signing;
    const after: SenderDomain = {
      _id: key,
      account,
      domain,
      messageSigning: input.messageSigning,
      ...present({ signing, dkim: kept(before?.dkim, "privateKey", context.sealer) }),
    };
    const mistakes = signingMistakes(context, after, input);
    return mistakes.length > 0 ? badInput(mistakes) : writeDomain(context, { before, after, who: named.who }, session);
  });
}

async function writeDomain(
  context: ApiContext,
  change: { before: SenderDomain | undefined; after: SenderDomain; who: string },
  session: Session,
): Promise<DomainView> {
  const { before, after, who } = change;
  const now = context.clock.now();
  const to = viewDomain(after, now);
  const from = before === undefined ? undefined : viewDomain(before, now);
  const isSigningKept = before?.signing?.privateKey === after.signing?.privateKey;
  const isDkimKept = before?.dkim?.privateKey === after.dkim?.privateKey;
  const secrets = [...(isSigningKept ? [] : ["signing.privateKey"]), ...(isDkimKept ? [] : ["dkim.privateKey"])];
  const audit = { who, what: `domain ${after._id}`, account: after.account, from, to, secrets };
  await writeChanged(context, { write: { documents: context.domains, before, after }, audit }, session);
  return to;
}

async function removeDomain(context: ApiContext, named: Named): Promise<{ removed: true } | Problem> {
  const { account, domain, who } = named;
  const key = domainKey(account, domain);
  return inTurn(context.store, account, async (session) => {
    const before = await context.domains.find(key, session);
    if (before === undefined) return notFound(`domain ${domain} of account ${account}`);
    const relay = await context.relays.find(key, session);
    if (relay !== undefined && relay.deletedAt === undefined) {
      return conflict(`${domain} has the relay ${relay.host}; remove that first`);
    }
    await context.domains.remove(key, session);
    const from = viewDomain(before, context.clock.now());
    await audited(context, { who, what: `domain ${key}`, account, from }, session);
    return { removed: true as const };
  });
}

export function domainOperations(context: ApiContext): Operation[] {
  const path = "/v1/accounts/:account/domains/:domain";
  return [
    operation({
      method: "PUT",
      path,
      tag: TAG,
      summary: "Create or replace a sender domain",
      params: newDomainParams,
      query: NOTHING,
      body: domainInput,
      answer: domainView,
      refusals: [404, 409, 422],
      handle: ({ params, body, who }) => putDomain(context, { ...params, who }, body),
    }),
    operation({
      method: "GET",
      path,
      tag: TAG,
      summary: "Show a sender domain",
      params: domainParams,
      query: NOTHING,
      body: NOTHING,
      answer: domainView,
      refusals: [404],
      handle: async ({ params: { account, domain } }) => {
        const found = await context.domains.find(domainKey(account, domain));
        if (found === undefined) return notFound(`domain ${domain} of account ${account}`);
        return viewDomain(found, context.clock.now());
      },
    }),
    operation({
      method: "DELETE",
      path,
      tag: TAG,
      summary: "Remove a sender domain",
      params: domainParams,
      query: NOTHING,
      body: NOTHING,
      answer: z.object({ removed: z.literal(true) }),
      refusals: [404, 409],
      handle: ({ params, who }) => removeDomain(context, { ...params, who }),
    }),
    listDomains(context),
  ];
}

function listDomains(context: ApiContext): Operation {
  return operation({
    method: "GET",
    path: "/v1/accounts/:account/domains",
    tag: TAG,
    summary: "List the sender domains of an account",
    params: accountParams,
    query: pageQuery,
    body: NOTHING,
    answer: listOf(domainView),
    refusals: [404],
    handle: async ({ params: { account }, query }) => {
      if ((await context.accounts.find(account)) === undefined) return notFound(`account ${account}`);
      const { items, ...rest } = await context.domains.page(`${account}/`, query);
      return { items: items.map((item) => viewDomain(item, context.clock.now())), ...rest };
    },
  });
}
