// The end of what was removed: an account goes when its last mail has ended and is notified, a relay's tombstone when the
// longest deadline is over (design, Routing). Any number of control replicas may look after it.
import type { Broker } from "#shared/broker/actor.ts";
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
/** What was in hand when the queues were seen empty is recorded by then. */
const IN_HAND_MS = 3_000;
/** No mail is alive for longer than the longest deadline; an hour more for what is under way. */
const LONGEST_MS = 49 * 3_600_000;

/** Since when nothing of an account can be on its way unrecorded, by account; as this replica has seen it. */
type Quiet = Map<string, number>;

/** Where a job or its tracking points may be before the record knows of them. */
async function isUnrecordedWorkQueued(broker: Broker): Promise<boolean> {
  const queues = [QUEUES.submissions, QUEUES.jobsInteractive, QUEUES.jobsBulk, QUEUES.events];
  const depths = await Promise.all(queues.map((queue) => broker.depth(queue)));
  return depths.some((depth) => (depth ?? 0) > 0);
}

async function hasEnded(context: ApiContext, account: Account, quiet: Quiet): Promise<boolean> {
  const nowMs = context.clock.nowMs();
  const removedMs = account.removedAt?.getTime() ?? nowMs;
  if (nowMs - removedMs < REFUSED_AFTER_MS) return false;
  if (nowMs - removedMs > LONGEST_MS) return !(await context.mails.awaitsNotification(account._id));
  if (!quiet.has(account._id)) {
    if (await isUnrecordedWorkQueued(context.broker)) return false;
    quiet.set(account._id, nowMs);
  }
  if (nowMs - (quiet.get(account._id) ?? nowMs) < IN_HAND_MS) return false;
  if ((await context.mails.waiting(account._id)) > 0) return false;
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

export async function sweepRemoved(context: ApiContext, quiet: Quiet): Promise<void> {
  const leaving = await context.accounts.leaving();
  for (const name of quiet.keys()) if (!leaving.some(({ _id }) => _id === name)) quiet.delete(name);
  for (const account of leaving) {
    if (await hasEnded(context, account, quiet)) await removeAccount(context, account._id);
  }
  await removeTombstones(context);
}

export function startRemoval(context: ApiContext): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const quiet: Quiet = new Map();
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await context.clock.sleep(SWEEP_MS * (0.5 + context.clock.random()), stopped.signal).catch(() => undefined);
      if (stopped.signal.aborted) return;
      await sweepRemoved(context, quiet).catch((error: unknown) => {
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
