// The router: takes jobs, due mails, hard bounces and commands; owns the suppression list and the lanes.
import { QUEUES } from "#shared/broker/topology.ts";
import { parseAddress, parseMailbox, wireAddress } from "#shared/email/address.ts";
import { createSealer } from "#shared/secrets.ts";
import type { ServiceContext, ServiceDefinition } from "#shared/service-definition.ts";
import { createContents } from "#shared/store/contents.ts";
import { followConfiguration } from "#shared/follow-configuration.ts";
import type { Lanes } from "#shared/store/lanes.ts";
import { createLanes } from "#shared/store/lanes.ts";
import { createLedger } from "#shared/store/ledger.ts";
import { prepareWhenThere } from "#shared/store/prepare.ts";
import { createSuppressions } from "#shared/store/suppressions.ts";
import { createBouncesActor } from "./bounces.ts";
import { createCommandsActor } from "./commands.ts";
import { createDueActor } from "./due.ts";
import type { JobPorts } from "./jobs.ts";
import { createJobsActor } from "./jobs.ts";
import { startLaneSweep } from "./lane-sweep.ts";
import { createRouterMetrics } from "./metrics.ts";
import { NewLanes } from "./new-lanes.ts";
import { createJobSigner } from "./sign.ts";
import type { AddressReader } from "#shared/routing/recipient.ts";

const INTERACTIVE = { mailbox: QUEUES.jobsInteractive, prefetch: 200, batch: 50 };
/** Large jobs, and the small ones of a flood. */
const BULK = { mailbox: QUEUES.jobsBulk, prefetch: 120, batch: 50 };
const DUE = { prefetch: 200, batch: 50 };

const readAddress: AddressReader = (given) => {
  const { address } = parseMailbox(given);
  const parsed = parseAddress(address);
  return parsed === undefined ? undefined : { address: wireAddress(address), localPart: parsed.local };
};

async function portsOf(
  { broker, store, clock, log, settings }: ServiceContext<"router">,
  lanes: Lanes,
): Promise<JobPorts> {
  const metrics = createRouterMetrics();
  const contents = createContents(store);
  return {
    configuration: await followConfiguration({ broker, store, clock, log }),
    suppressions: createSuppressions(store),
    newLanes: new NewLanes({ lanes, broker, log }),
    rules: {
      readAddress,
      forbiddenLocalParts: new Set(settings.WAYPOST_FORBIDDEN_LOCAL_PARTS.map((part) => part.toLowerCase())),
    },
    clock,
    log,
    metrics,
    signer: createJobSigner({
      sealer: createSealer(settings.WAYPOST_SECRET_KEY, settings.WAYPOST_SECRET_KEY_PREVIOUS),
      clock,
      log,
      readContent: ({ content }, inline) => contents.read(content, inline),
      countUnsigned: () => metrics.countUnsigned(),
    }),
  };
}

export const service: ServiceDefinition<"router"> = {
  name: "router",
  ports: () => [],
  start: async (context) => {
    const { broker, clock, log, store } = context;
    const lanes = createLanes(store, clock, log);
    const ports = await portsOf(context, lanes);
    const preparation = prepareWhenThere(() => ports.suppressions.prepare(), { clock, log });
    const consumptions = [
      broker.start(createJobsActor(ports, INTERACTIVE)),
      broker.start(createJobsActor(ports, BULK)),
      broker.start(createDueActor({ ...ports, ledger: createLedger(store, clock) }, DUE)),
      broker.start(createBouncesActor(ports)),
      broker.start(createCommandsActor(ports)),
    ];
    const sweep = startLaneSweep({ ...ports, lanes, broker });
    return {
      notReady: () => (ports.configuration.isFresh ? undefined : "the configuration is not fresh"),
      stop: async () => {
        preparation.stop();
        await sweep.stop();
        await Promise.all(consumptions.map((consumption) => consumption.cancel()));
        await ports.configuration.close();
      },
    };
  },
};
