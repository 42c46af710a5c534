// The retry-scheduler: the only one that knows when a mail is tried again, and that it has failed for good.
import type { Broker } from "#shared/broker/actor.ts";
import { waitTier } from "#shared/broker/topology.ts";
import type { Log } from "#shared/log.ts";
import { createLedger } from "#shared/store/ledger.ts";
import { createMailReader } from "#shared/store/mail-reader.ts";
import { createRecordMarks } from "#shared/store/marks.ts";
import { createParkedMails } from "#shared/store/parked-mails.ts";
import { createWaitingJobs } from "#shared/store/waiting-jobs.ts";
import type { ServiceDefinition } from "#shared/service-definition.ts";
import { createAttemptsActor } from "./attempts.ts";
import { startSweep } from "./deadline.ts";
import type { Ladder } from "#shared/life/ladder.ts";
import { ladderOf } from "#shared/life/ladder.ts";
import { createRetryMetrics } from "./metrics.ts";

/** Before anything is taken. A tier that cannot be declared now is declared with the rest when the broker is back. */
async function declareTiers(broker: Broker, ladder: Ladder, log: Log): Promise<void> {
  const tiers = [...new Set(ladder)].map((waitMs) => broker.declareTier(waitTier(waitMs)));
  for (const result of await Promise.allSettled(tiers)) {
    if (result.status === "rejected") log.warn({ err: result.reason as unknown }, "tiers.declared_later");
  }
}

export const service: ServiceDefinition<"retry-scheduler"> = {
  name: "retry-scheduler",
  ports: () => [],
  start: async ({ broker, store, clock, log, settings }) => {
    const ladder = ladderOf(settings.WAYPOST_RETRY_SCHEDULE);
    const metrics = createRetryMetrics();
    const ledger = createLedger(store, clock);
    await declareTiers(broker, ladder, log);
    const attempts = broker.start(createAttemptsActor({ ladder, ledger, clock, log, metrics }));
    const sweep = startSweep({
      broker,
      reader: createMailReader(store),
      marks: createRecordMarks(store),
      ledger,
      parked: createParkedMails(store),
      waiting: createWaitingJobs(store),
      clock,
      log,
      metrics,
    });
    return {
      stop: async () => {
        await sweep.stop();
        await attempts.cancel();
      },
    };
  },
};
