// Batches that no endpoint took: kept with the reason, and replayed with the same tags when an operator asks.
import type { Broker } from "#shared/broker/actor.ts";
import { ROUTING_KEYS } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { BatchMessage } from "#shared/contracts/batch.ts";
import type { Log } from "#shared/log.ts";
import type { DeadChoice, DeadNotification, DeadNotifications } from "#shared/store/dead-notifications.ts";
import { recipientOf } from "#shared/store/dead-notifications.ts";
import type { MailWriter } from "#shared/store/mail-writer.ts";
import { batchMessage } from "./collector.ts";
import { endedMailsOf } from "./notes.ts";

export interface DeadKeeper {
  keep(batch: BatchMessage, facts: { url: string; reason: string }): Promise<void>;
  /** Publishes the chosen ones again; answers how many. */
  replay(choice: DeadChoice): Promise<number>;
}

export interface DeadKeeperOptions {
  broker: Pick<Broker, "publish">;
  clock: Clock;
  log: Log;
  store: Pick<DeadNotifications, "add" | "take" | "remove">;
  writer: Pick<MailWriter, "settle">;
  terms: { retentionMs: number; deadlineMs: number };
}

const PAGE = 100;

export function createDeadKeeper({ broker, clock, log, store, writer, terms }: DeadKeeperOptions): DeadKeeper {
  const publishAgain = async (page: readonly DeadNotification[]): Promise<void> => {
    const deadline = new Date(clock.nowMs() + terms.deadlineMs).toISOString();
    const fresh = page.map(({ batch }) => ({ ...batch, attempts: 0, deadline }));
    await broker.publish(fresh.map((batch) => batchMessage(batch, ROUTING_KEYS.batch, true)));
    await store.remove(page);
  };
  return {
    keep: async (batch, { url, reason }) => {
      const { account, jobId } = batch.push.meta;
      await store.add({
        _id: batch.batchId,
        jobId,
        account,
        url,
        reason,
        at: clock.now(),
        attempts: batch.attempts,
        recipients: [...new Set(batch.push.notifications.map((notification) => recipientOf(notification)))],
        batch,
        expiresAt: new Date(clock.nowMs() + terms.retentionMs),
      });
      await writer.settle(endedMailsOf(batch));
      log.warn({ account, jobId, batchId: batch.batchId, reason, attempts: batch.attempts }, "notification.dead");
    },
    replay: async (choice) => {
      let replayed = 0;
      // One that dies again meanwhile is not taken a second time.
      const before = clock.now();
      for (;;) {
        const page = await store.take({ ...choice, before }, PAGE);
        if (page.length === 0) return replayed;
        await publishAgain(page);
        replayed += page.length;
      }
    },
  };
}
