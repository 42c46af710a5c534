// Batches that no endpoint took: kept with the reason, and replayed with the same tags when an operator asks.
import type { Broker } from "#shared/broker/actor.ts";
import { ROUTING_KEYS } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import type { Log } from "#shared/log.ts";
import type { DeadChoice, DeadNotification, DeadNotifications } from "#shared/store/dead-notifications.ts";
import { recipientsOf, withoutMails } from "#shared/store/dead-notifications.ts";
import type { MailWriter } from "#shared/store/mail-writer.ts";
import { batchMessage } from "./collector.ts";
import { endedMailsOf } from "./notes.ts";

interface Death {
  url: string;
  reason: string;
}

export interface Replayed {
  replayed: number;
  /** It ended before all were: whoever asked waits no longer than a minute. */
  hasMore?: true;
}

export interface DeadKeeper {
  keep(batch: BatchMessage, death: Death): Promise<void>;
  /** Publishes the chosen ones again. */
  replay(choice: DeadChoice): Promise<Replayed>;
}

export interface DeadKeeperOptions {
  broker: Pick<Broker, "publish">;
  clock: Clock;
  log: Log;
  store: Pick<DeadNotifications, "add" | "take" | "remove">;
  writer: Pick<MailWriter, "settle" | "erasedOf">;
  terms: { retentionMs: number; deadlineMs: number };
}

const PAGE = 100;
const LONGEST_REPLAY_MS = 30_000;

function deadOf(batch: BatchMessage, death: Death, { clock, terms }: DeadKeeperOptions): DeadNotification {
  const { account, jobId } = batch.push.meta;
  return {
    _id: batch.batchId,
    jobId,
    account,
    ...death,
    at: clock.now(),
    attempts: batch.attempts,
    recipients: recipientsOf(batch.push.notifications),
    batch,
    expiresAt: new Date(clock.nowMs() + terms.retentionMs),
  };
}

/** An erasure goes over the record first, then over what is dead: of a batch that waited it knew nothing. */
async function keepDead({ store, writer }: DeadKeeperOptions, dead: DeadNotification): Promise<void> {
  await store.add(dead);
  const erased = await writer.erasedOf(dead.batch.push.notifications.map(({ meta }) => meta.mail.id));
  if (erased.size > 0) await store.add(withoutMails(dead, erased));
}

export function createDeadKeeper(options: DeadKeeperOptions): DeadKeeper {
  const { broker, clock, log, store, writer, terms } = options;
  const publishAgain = async (page: readonly DeadNotification[]): Promise<void> => {
    const deadline = new Date(clock.nowMs() + terms.deadlineMs).toISOString();
    const fresh = page.map(({ batch }) => ({ ...batch, attempts: 0, deadline }));
    await broker.publish(fresh.map((batch) => batchMessage(batch, ROUTING_KEYS.batch, true)));
    await store.remove(page);
  };
  return {
    keep: async (batch, death) => {
      const { account, jobId } = batch.push.meta;
      await keepDead(options, deadOf(batch, death, options));
      await writer.settle(endedMailsOf(batch));
      const { reason } = death;
      log.warn({ account, jobId, batchId: batch.batchId, reason, attempts: batch.attempts }, "notification.dead");
    },
    replay: async (choice) => {
      let replayed = 0;
      // One that dies again meanwhile is not taken a second time.
      const before = clock.now();
      for (;;) {
        const page = await store.take({ ...choice, before }, PAGE);
        if (page.length === 0) return { replayed };
        if (clock.nowMs() - before.getTime() >= LONGEST_REPLAY_MS) return { replayed, hasMore: true };
        await publishAgain(page);
        replayed += page.length;
      }
    },
  };
}
