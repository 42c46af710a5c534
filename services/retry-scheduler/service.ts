// The retry-scheduler: the only one that knows when a mail is tried again, and that it has failed for good.
import { SUSPECT_TIER_MS, waitTier } from "#shared/broker/topology.ts";
import { declareTiers } from "#shared/declare-tiers.ts";
import { createLedger } from "#shared/store/ledger.ts";
import { createMailReader } from "#shared/store/mail-reader.ts";
import { createRecordMarks } from "#shared/store/marks.ts";
import { createParkedMails } from "#shared/store/parked-mails.ts";
import { createWaitingJobs } from "#shared/store/waiting-jobs.ts";
import type { ServiceDefinition } from "#shared/service-definition.ts";
import { createAttemptsActor } from "./attempts.ts";
import { startSweep } from "./deadline.ts";
import { ladderOf } from "#shared/life/ladder.ts";
import { createRetryMetrics } from "./metrics.ts";

export const service: ServiceDefinition<"retry-scheduler"> = {
  name: "retry-scheduler",
  ports: () => [],
  start: async ({ broker, store, clock, log, settings }) => {
    const ladder = ladderOf(settings.WAYPOST_RETRY_SCHEDULE);
    const metrics = createRetryMetrics();
    const ledger = createLedger(store, clock);
    await declareTiers(
      { broker, log },
      [...new Set([...ladder, SUSPECT_TIER_MS])].map((waitMs) => waitTier(waitMs)),
    );
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
