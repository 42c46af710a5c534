// Changes of a relay: creating and replacing it, disabling and removing it while mails wait, holding and resuming its lane.
import { relayLaneName } from "#shared/routing/lane.ts";
import type { Session } from "#shared/store/changes.ts";
import { inTurn } from "#shared/store/changes.ts";
import { domainKey } from "#shared/store/configuration.ts";
import type { StoredRelay } from "#shared/store/relays.ts";
import type { ApiContext } from "./context.ts";
import { writeChanged } from "./context.ts";
import { badInput, conflict, notFound, Problem } from "./problem.ts";
import type { RelayInput, Waiting } from "./relay-input.ts";
import { authMistakes, changedRelay, livingRelay, senderMistakes, viewSettings } from "./relay-input.ts";
import { failedVerification, verifyRelay } from "./relay-verify.ts";

export interface NamedRelay {
  account: string;
  domain: string;
  who: string;
}

interface Put extends NamedRelay {
  input: RelayInput;
  waiting: Waiting | undefined;
  mustVerify: boolean;
}

/**
 * Mails that wait for the relay or are in retry: as the record knows, and no fewer than its mailboxes hold. What replicas
 * last said to be in an attempt is not added: it is up to 2 s old, and the record has those mails.
 */
async function countWaiting(context: ApiContext, account: string, domain: string): Promise<number> {
  const lane = relayLaneName(account, domain);
  const [recorded, { depth }] = await Promise.all([
    context.mails.waiting(account, lane),
    context.lanes.of(lane, false),
  ]);
  return Math.max(recorded, depth);
}

async function refuseWhileWaiting(context: ApiContext, account: string, domain: string): Promise<Problem | undefined> {
  const waiting = await countWaiting(context, account, domain);
  if (waiting === 0) return undefined;
  const mails = waiting === 1 ? "1 mail waits" : `${waiting} mails wait`;
  return conflict(`${mails} for the relay of ${domain}: say ?waiting=reroute or ?waiting=bounce`, { waiting });
}

/** What a PUT makes of the relay, or why it is refused; reads within the transaction where there is one. */
async function decide(
  context: ApiContext,
  put: Put,
  session?: Session,
): Promise<{ before: StoredRelay | undefined; after: StoredRelay } | Problem> {
  const { account, domain, input, waiting } = put;
  const key = domainKey(account, domain);
  const stored = await context.domains.find(key, session);
  if (stored === undefined) return notFound(`domain ${domain} of account ${account}`);
  if (stored.messageSigning) return conflict(`${domain} has message signing on, which excludes a relay`);
  const before = await context.relays.find(key, session);
  const mistakes = [...senderMistakes(input.senders, domain), ...authMistakes(input, before)];
  if (mistakes.length > 0) return badInput(mistakes);
  const { sealer, clock } = context;
  return { before, after: changedRelay(input, { account, domain, before, sealer, now: clock.now(), waiting }) };
}

async function refuseChange(context: ApiContext, put: Put): Promise<Problem | undefined> {
  const decided = await decide(context, put);
  if (decided instanceof Problem) return decided;
  const { after } = decided;
  const before = livingRelay(decided.before);
  if (before?.enabled === true && !after.enabled && put.waiting === undefined) {
    const refused = await refuseWhileWaiting(context, put.account, put.domain);
    if (refused !== undefined) return refused;
  }
  if (!put.mustVerify) return undefined;
  const verified = await verifyRelay(context, after);
  return verified instanceof Problem ? verified : failedVerification(verified.steps, after);
}

export async function putRelay(context: ApiContext, put: Put): Promise<StoredRelay | Problem> {
  const refused = await refuseChange(context, put);
  if (refused !== undefined) return refused;
  return inTurn(context.store, put.account, async (session) => {
    const decided = await decide(context, put, session);
    if (decided instanceof Problem) return decided;
    const { before, after } = decided;
    const living = livingRelay(before);
    const audit = {
      who: put.who,
      what: `relay ${after._id}`,
      account: put.account,
      from: living === undefined ? undefined : viewSettings(living),
      to: { ...viewSettings(after), ...(after.removed === undefined ? {} : { waiting: after.removed.waiting }) },
      secrets: living?.auth?.password === after.auth?.password ? [] : ["auth.password"],
    };
    await writeChanged(context, { write: { documents: context.relays, before, after }, audit }, session);
    return after;
  });
}

/** Leaves a tombstone: the lane stays consumed, as a forwarder, until the longest deadline is over (design, Routing). */
export async function removeRelay(
  context: ApiContext,
  { account, domain, who }: NamedRelay,
  waiting: Waiting | undefined,
): Promise<{ removed: true } | Problem> {
  const key = domainKey(account, domain);
  if (livingRelay(await context.relays.find(key)) === undefined) return notFound(`relay of ${domain}`);
  const refused = waiting === undefined ? await refuseWhileWaiting(context, account, domain) : undefined;
  if (refused !== undefined) return refused;
  return inTurn(context.store, account, async (session) => {
    const before = livingRelay(await context.relays.find(key, session));
    if (before === undefined) return notFound(`relay of ${domain}`);
    const now = context.clock.now();
    const removed = { at: now, waiting: waiting ?? "reroute" };
    const after: StoredRelay = { ...before, held: false, removed, deletedAt: now };
    const audit = { who, what: `relay ${key}`, account, action: "remove", from: viewSettings(before), to: removed };
    await writeChanged(context, { write: { documents: context.relays, before, after }, audit }, session);
    return { removed: true as const };
  });
}

/** An operator's hold is configuration and so reaches all replicas; resuming also resets the breakers. */
export async function setHeld(
  context: ApiContext,
  { account, domain, who }: NamedRelay,
  held: boolean,
): Promise<StoredRelay | Problem> {
  const key = domainKey(account, domain);
  return inTurn(context.store, account, async (session) => {
    const before = livingRelay(await context.relays.find(key, session));
    if (before === undefined) return notFound(`relay of ${domain} in account ${account}`);
    const after = { ...before, held, resumedCount: before.resumedCount + (held ? 0 : 1) };
    const action = held ? "suspend" : "resume";
    const audit = { who, what: `relay ${key}`, account, action, from: { held: before.held }, to: { held } };
    await writeChanged(context, { write: { documents: context.relays, before, after }, audit }, session);
    return after;
  });
}
