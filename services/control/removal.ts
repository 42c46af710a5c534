// The end of what was removed: an account goes when its last mail has ended and is notified, a relay's tombstone when the
// longest deadline is over (design, Routing). Any number of control replicas may look after it.
import { QUEUES } from "#shared/broker/topology.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Account } from "#shared/routing/configuration.ts";
import { inTurn } from "#shared/store/changes.ts";
import type { ApiContext } from "./api/context.ts";
import { audited } from "./api/context.ts";
import { viewAccount } from "./api/account-change.ts";
import { ask } from "./commands.ts";

const SWEEP_MS = 1_000;
/** Configuration reaches every service within a second: after this no new job is taken. */
const REFUSED_AFTER_MS = 2_000;
/** What was in hand when a queue was seen empty is done by then. */
const IN_HAND_MS = 5_000;
/** No mail is alive for longer than the longest deadline; an hour more for what is under way. */
const LONGEST_MS = 49 * 3_600_000;

/** Where a job and what is told of it may be before the record knows, in the order of its way. */
const BEFORE_THE_RECORD = [QUEUES.submissions, QUEUES.jobsInteractive, QUEUES.jobsBulk, QUEUES.events];

/** When this replica saw each of those queues empty after the account's last job was taken, by account. */
type Seen = Map<string, Map<string, number>>;

/** Since when no job of the account can be in a queue; undefined while one can. */
async function emptySince(context: ApiContext, account: string, seen: Seen): Promise<number | undefined> {
  const queues = seen.get(account) ?? new Map<string, number>();
  seen.set(account, queues);
  for (const queue of BEFORE_THE_RECORD) {
    if (queues.has(queue)) continue;
    if (((await context.broker.depth(queue)) ?? 0) > 0) return undefined;
    queues.set(queue, context.clock.nowMs());
  }
  return Math.max(...queues.values());
}

/** Whether all that the account's jobs have caused so far is in the record. */
async function isRecorded(context: ApiContext, account: string, seen: Seen): Promise<boolean> {
  const since = await emptySince(context, account, seen);
  if (since === undefined) return false;
  const recorded = await context.marks.recordedUpTo(context.clock.now());
  return recorded !== undefined && recorded.getTime() >= since + IN_HAND_MS;
}

async function mayHaveMails(context: ApiContext, account: string, seen: Seen): Promise<boolean> {
  // First: a parked job may be replayed, so that what was seen of the queues before counts no more.
  if (await context.held.areOf(account)) {
    seen.delete(account);
    return true;
  }
  return !(await isRecorded(context, account, seen)) || (await context.mails.waiting(account)) > 0;
}

async function hasEnded(context: ApiContext, account: Account, seen: Seen): Promise<boolean> {
  const removedForMs = context.clock.nowMs() - (account.removedAt?.getTime() ?? Infinity);
  if (removedForMs < REFUSED_AFTER_MS) return false;
  if (removedForMs < LONGEST_MS && (await mayHaveMails(context, account._id, seen))) return false;
  // What was not told by then was lost with the broker: nobody will ever tell it.
  if (removedForMs > LONGEST_MS + context.settings.notifyDeadlineMs) return true;
  return !(await context.mails.awaitsNotification(account._id));
}

/** The services that keep something of the account forget it first: the name must not be free before. */
async function forget(context: ApiContext, account: string): Promise<boolean> {
  const command = { command: "forget-account", account } as const;
  const answers = [
    await ask(context.broker, "router", { command }),
    await ask(context.broker, "notifier", { command }),
  ];
  return answers.every(({ kind }) => kind === "done");
}

async function removeAccount(context: ApiContext, account: string): Promise<void> {
  if (!(await forget(context, account))) return;
  await inTurn(context.store, account, async (session) => {
    const stored = await context.accounts.find(account, session);
    if (stored?.removedAt === undefined) return;
    const prefix = `${account}/`;
    for (const relay of await context.relays.withPrefix(prefix, session))
      await context.relays.remove(relay._id, session);
    for (const domain of await context.domains.withPrefix(prefix, session))
      await context.domains.remove(domain._id, session);
    await context.accounts.remove(account, session);
    const change = { who: "waypost", what: `account ${account}`, account, action: "gone", from: viewAccount(stored) };
    await audited(context, change, session);
  });
}

async function removeTombstones(context: ApiContext): Promise<void> {
  const moment = new Date(context.clock.nowMs() - LONGEST_MS);
  for (const { _id, account } of await context.relays.deletedBefore(moment)) {
    await inTurn(context.store, account, async (session) => {
      const stored = await context.relays.find(_id, session);
      if (stored?.deletedAt === undefined || stored.deletedAt >= moment) return;
      await context.relays.remove(_id, session);
    });
  }
}

export async function sweepRemoved(context: ApiContext, seen: Seen): Promise<void> {
  const leaving = await context.accounts.leaving();
  for (const name of seen.keys()) if (!leaving.some(({ _id }) => _id === name)) seen.delete(name);
  for (const account of leaving) {
    if (await hasEnded(context, account, seen)) await removeAccount(context, account._id);
  }
  await removeTombstones(context);
}

export function startRemoval(context: ApiContext): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const seen: Seen = new Map();
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await context.clock.sleep(SWEEP_MS * (0.5 + context.clock.random()), stopped.signal).catch(() => undefined);
      if (stopped.signal.aborted) return;
      await sweepRemoved(context, seen).catch((error: unknown) => {
        if (!isRetriable(error)) context.log.error({ err: error }, "control.removal_failed");
      });
    }
  };
  const running = run();
  return {
    stop: () => {
      stopped.abort();
      return running;
    },
  };
}
