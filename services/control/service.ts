// Control: the administration API, the console, and the end of what nobody could handle.
import { createSealer } from "#shared/secrets.ts";
import type { ServiceContext, ServiceDefinition } from "#shared/service-definition.ts";
import { createAccounts } from "#shared/store/accounts.ts";
import { createAudit } from "#shared/store/audit.ts";
import { followConfiguration } from "#shared/follow-configuration.ts";
import { createDeadLetters } from "#shared/store/dead-letters.ts";
import { createDeadNotifications } from "#shared/store/dead-notifications.ts";
import { createDomains } from "#shared/store/domains.ts";
import { createEndpoints } from "#shared/store/endpoints.ts";
import { createHeldJobs } from "#shared/store/held-jobs.ts";
import { createLanes } from "#shared/store/lanes.ts";
import { createMailReader } from "#shared/store/mail-reader.ts";
import { createRecordMarks } from "#shared/store/marks.ts";
import { prepareChanged } from "#shared/store/changed.ts";
import { prepareWhenThere } from "#shared/store/prepare.ts";
import { createRelays } from "#shared/store/relays.ts";
import { createSuppressions } from "#shared/store/suppressions.ts";
import { createUnrecordedJobs } from "#shared/store/unrecorded-jobs.ts";
import { createWaitingJobs } from "#shared/store/waiting-jobs.ts";
import type { ApiContext } from "./api/context.ts";
import { createServer } from "./api/server.ts";
import { createDeadLettersActor } from "./dead-letters.ts";
import { watchCertificates } from "./certificates.ts";
import { createLaneStates } from "./lane-states.ts";
import { startRemoval } from "./removal.ts";

async function contextOf(context: ServiceContext<"control">): Promise<ApiContext> {
  const { settings, store, log, clock, broker } = context;
  return {
    settings: {
      adminToken: settings.WAYPOST_ADMIN_TOKEN,
      forbiddenLocalParts: settings.WAYPOST_FORBIDDEN_LOCAL_PARTS,
      mxPort: settings.WAYPOST_MX_PORT,
      notifyDeadlineMs: settings.WAYPOST_NOTIFY_DEADLINE,
    },
    clock,
    log,
    broker,
    store,
    sealer: createSealer(settings.WAYPOST_SECRET_KEY, settings.WAYPOST_SECRET_KEY_PREVIOUS),
    configuration: await followConfiguration({ broker, store, clock, log }),
    lanes: createLaneStates({ broker, clock, lanes: createLanes(store, clock, log) }),
    accounts: createAccounts(store),
    domains: createDomains(store),
    relays: createRelays(store),
    audit: createAudit(store),
    deadLetters: createDeadLetters(store),
    deadNotifications: createDeadNotifications(store),
    endpoints: createEndpoints(store),
    held: createHeldJobs(store),
    mails: createMailReader(store),
    marks: createRecordMarks(store),
    suppressions: createSuppressions(store),
    unrecorded: createUnrecordedJobs(store),
    waiting: createWaitingJobs(store),
  };
}

export const service: ServiceDefinition<"control"> = {
  name: "control",
  ports: (settings) => [{ setting: "WAYPOST_CONTROL_PORT", port: settings.WAYPOST_CONTROL_PORT }],
  start: async (service) => {
    const { settings, broker, clock, log } = service;
    const context = await contextOf(service);
    const { accounts, audit, deadLetters } = context;
    const preparation = prepareWhenThere(
      async () => {
        await Promise.all([prepareChanged(context.store), accounts.prepare(), audit.prepare(), deadLetters.prepare()]);
      },
      { clock, log },
    );
    const retentionMs = settings.WAYPOST_RETENTION;
    const letters = broker.start(createDeadLettersActor({ deadLetters, clock, log, retentionMs }));
    const removal = startRemoval(context);
    const certificates = watchCertificates(context);
    const server = await createServer(context);
    await server.listen({ host: settings.WAYPOST_BIND, port: settings.WAYPOST_CONTROL_PORT });
    return {
      notReady: () => (context.configuration.isFresh ? undefined : "the configuration is not fresh"),
      stop: async () => {
        preparation.stop();
        certificates.stop();
        await server.close();
        await Promise.all([removal.stop(), letters.cancel()]);
        await context.configuration.close();
      },
    };
  },
};
