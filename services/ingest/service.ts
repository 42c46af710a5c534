// Ingest: takes jobs over REST, SMTP and the broker, and publishes them once.
import { createPasswordVerifier } from "#shared/passwords.ts";
import type { Sealer } from "#shared/secrets.ts";
import { createSealer } from "#shared/secrets.ts";
import type { ServiceContext, ServiceDefinition } from "#shared/service-definition.ts";
import { followConfiguration } from "#shared/follow-configuration.ts";
import { createContents } from "#shared/store/contents.ts";
import { createIdempotencyKeys } from "#shared/store/idempotency.ts";
import { createMailReader } from "#shared/store/mail-reader.ts";
import { prepareWhenThere } from "#shared/store/prepare.ts";
import { createWaitingJobs } from "#shared/store/waiting-jobs.ts";
import type { ConfigurationPort } from "#shared/routing/configuration.ts";
import { createAcceptor } from "./accept.ts";
import { createAuthenticator } from "./authenticate.ts";
import { createFailedLogins } from "./failed-logins.ts";
import type { JobWatch } from "./job-watch.ts";
import { startJobWatch } from "./job-watch.ts";
import { createIngestMetrics } from "./metrics.ts";
import { countMails } from "./prepare-job.ts";
import { createRate } from "./rate.ts";
import { createRest } from "./rest.ts";
import { checkSmtpTls, startSmtp } from "./smtp.ts";
import type { Accept } from "./submission.ts";
import { createSubmissionsActor } from "./submissions.ts";
import { createWaitingMails } from "./waiting-mails.ts";

type Context = ServiceContext<"ingest">;

const sealerOf = (settings: Context["settings"]): Sealer =>
  createSealer(settings.WAYPOST_SECRET_KEY, settings.WAYPOST_SECRET_KEY_PREVIOUS);

function acceptorOf(
  context: Context,
  configuration: ConfigurationPort,
): { accept: Accept; watch: JobWatch; prepare: () => Promise<void> } {
  const { settings, broker, store, clock, log } = context;
  const contents = createContents(store);
  const keys = createIdempotencyKeys(store);
  const record = createMailReader(store);
  const jobs = createWaitingJobs(store);
  const isLeaving = (name: string): boolean => configuration.newest?.account(name)?.removedAt !== undefined;
  const watch = startJobWatch({ jobs, isLeaving, clock, log });
  const accept = createAcceptor({
    configuration,
    broker,
    contents,
    keys,
    waiting: createWaitingMails({ count: (account) => record.waiting(account), clock, log }),
    watch,
    rates: { limit: createRate(clock), flood: createRate(clock) },
    sealer: sealerOf(settings),
    clock,
    log,
    metrics: createIngestMetrics(countMails),
    retryDeadlineMs: settings.WAYPOST_RETRY_DEADLINE,
  });
  const prepare = async (): Promise<void> =>
    void (await Promise.all([contents.prepare(), keys.prepare(), jobs.prepare()]));
  return { accept, watch, prepare };
}

export const service: ServiceDefinition<"ingest"> = {
  name: "ingest",
  ports: (settings) => [
    { setting: "WAYPOST_HTTP_PORT", port: settings.WAYPOST_HTTP_PORT },
    { setting: "WAYPOST_SMTP_PORT", port: settings.WAYPOST_SMTP_PORT },
    { setting: "WAYPOST_SMTPS_PORT", port: settings.WAYPOST_SMTPS_PORT },
  ],
  check: checkSmtpTls,
  start: async (context) => {
    const { settings, broker, clock, log } = context;
    const configuration = await followConfiguration(context);
    const { accept, watch, prepare } = acceptorOf(context, configuration);
    const preparation = prepareWhenThere(prepare, { clock, log });
    const verifier = createPasswordVerifier(clock);
    const authenticator = createAuthenticator({ configuration, verifier, failures: createFailedLogins(clock) });
    const rest = createRest({ authenticator, accept, configuration, clock, log });
    await rest.listen({ host: settings.WAYPOST_BIND, port: settings.WAYPOST_HTTP_PORT });
    const smtp = await startSmtp({ settings, configuration, authenticator, accept, clock, log });
    const submissions = broker.start(
      createSubmissionsActor({ accept, configuration, sealer: sealerOf(settings), clock }),
    );
    return {
      notReady: () => (configuration.isFresh ? undefined : "the configuration is not fresh"),
      stop: async () => {
        preparation.stop();
        await Promise.all([rest.close(), smtp.close(), submissions.cancel()]);
        await watch.stop();
        await configuration.close();
      },
    };
  },
};
