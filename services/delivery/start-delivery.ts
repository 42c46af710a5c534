// Puts delivery together: its ports, its lanes, what it says and hears; and how it comes to a stop.
import { networkInterfaces } from "node:os";
import { createNetworkPolicy } from "#shared/network/policy.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { ConfigurationPort } from "#shared/routing/configuration.ts";
import { createSealer } from "#shared/secrets.ts";
import type { RunningService, ServiceContext } from "#shared/service-definition.ts";
import { EXCHANGES } from "#shared/broker/topology.ts";
import { changedContracts } from "#shared/contracts/configuration-changed.ts";
import { followConfiguration } from "#shared/follow-configuration.ts";
import { createLanes } from "#shared/store/lanes.ts";
import { createSigningRule } from "#shared/signing/signing-rule.ts";
import { createContents } from "#shared/store/contents.ts";
import { createLedger } from "#shared/store/ledger.ts";
import { prepareWhenThere } from "#shared/store/prepare.ts";
import { findUntoldMails } from "#shared/store/untold-mails.ts";
import { Bodies } from "./bodies.ts";
import type { CommandPorts } from "./commands.ts";
import { createCommandsActor, createHandedAnswers } from "./commands.ts";
import type { DeliverPorts } from "./deliver-mail.ts";
import { deliverMail } from "./deliver-mail.ts";
import { drain } from "./drain.ts";
import { Gossip } from "./gossip.ts";
import type { LanePorts } from "./lane-runner.ts";
import { LaneSet } from "./lane-set.ts";
import type { AttemptMaker } from "./make-attempt.ts";
import { createAttemptMaker } from "./make-attempt.ts";
import type { DeliveryMetrics } from "./metrics.ts";
import { createDeliveryMetrics } from "./metrics.ts";
import { createMtaSts } from "./mta-sts.ts";
import type { MxPorts } from "./resolve-mx.ts";
import { isLocalAddress } from "./target.ts";
import { startWaitingNotices } from "./waiting-notice.ts";

type Context = ServiceContext<"delivery">;

/** What is left of the time to drain for the broker to take the last verdicts. */
const LAST_VERDICTS_MS = 2_000;

function mxPortsOf({ settings, log, clock }: Context): MxPorts {
  const network = createNetworkPolicy(settings);
  const { WAYPOST_BIND: bind, WAYPOST_SMTP_PORT: port, WAYPOST_SMTPS_PORT: tlsPort } = settings;
  const isOurs = (address: string): boolean => {
    if (bind !== "0.0.0.0" && bind !== "::") return address === bind;
    return Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === address));
  };
  return {
    clock,
    network,
    sealer: createSealer(settings.WAYPOST_SECRET_KEY, settings.WAYPOST_SECRET_KEY_PREVIOUS),
    isLocal: isLocalAddress,
    isOurListener: (address, at) => (at === port || at === tlsPort) && isOurs(address),
    mtaSts: createMtaSts(network, log, createSteadyClock(clock)),
    port: settings.WAYPOST_MX_PORT,
    usesDane: settings.WAYPOST_DNSSEC === "trusted",
  };
}

function makerOf({ settings, log, clock }: Context, parts: Parts): AttemptMaker {
  return createAttemptMaker({
    clock,
    steady: createSteadyClock(clock),
    log,
    ledger: parts.ledger,
    metrics: parts.metrics,
    sealer: parts.mx.sealer,
    mx: parts.mx,
    helloName: settings.WAYPOST_HOSTNAME,
    timeouts: settings.WAYPOST_SMTP_TIMEOUTS,
    replica: parts.replica,
  });
}

interface Parts {
  replica: string;
  ledger: ReturnType<typeof createLedger>;
  metrics: DeliveryMetrics;
  mx: MxPorts;
  configuration: ConfigurationPort;
}

async function partsOf(context: Context): Promise<Parts> {
  const { store, clock } = context;
  return {
    replica: clock.uuid(),
    ledger: createLedger(store, clock),
    metrics: createDeliveryMetrics(),
    mx: mxPortsOf(context),
    configuration: await followConfiguration(context),
  };
}

function deliverPortsOf({ store, clock }: Context, parts: Parts, attempts: AttemptMaker): DeliverPorts {
  const contents = createContents(store);
  return {
    configuration: parts.configuration,
    ledger: parts.ledger,
    clock,
    steady: createSteadyClock(clock),
    metrics: parts.metrics,
    attempts,
    signing: createSigningRule(),
    bodies: new Bodies((id) => contents.find(id)),
  };
}

function commandPortsOf(
  { broker, clock, log, settings }: Context,
  parts: Parts,
  { lanes, gossip }: { lanes: LaneSet; gossip: Gossip },
): CommandPorts {
  return {
    broker,
    clock,
    log,
    configuration: () => parts.configuration.confirmed().catch(() => parts.configuration.newest),
    lanes,
    targets: parts.mx,
    others: gossip,
    timeouts: settings.WAYPOST_SMTP_TIMEOUTS,
    helloName: settings.WAYPOST_HOSTNAME,
  };
}

export async function startDelivery(context: Context): Promise<RunningService> {
  const { broker, clock, log, store, settings } = context;
  const parts = await partsOf(context);
  const attempts = makerOf(context, parts);
  const deliverPorts = deliverPortsOf(context, parts, attempts);
  const ports: LanePorts = {
    broker,
    clock,
    log,
    configuration: () => parts.configuration.newest,
    isFresh: () => parts.configuration.isFresh,
    isLocal: isLocalAddress,
    handle: (runner, delivery) => deliverMail(deliverPorts, runner, delivery),
    onTurn: (runner) => gossip.tell(runner),
  };
  const lanes = new LaneSet(ports);
  const handed = createHandedAnswers(() => commandPorts);
  const gossip = new Gossip({ ...ports, replica: parts.replica, onHanded: handed.take }, lanes);
  const commandPorts = commandPortsOf(context, parts, { lanes, gossip });
  const preparation = prepareWhenThere(() => parts.ledger.prepare(), { clock, log });
  parts.metrics.observeLanes(() => lanes.runners.map((runner) => runner.health));
  const unfollow = parts.configuration.onChange(() => lanes.follow());
  const listing = createLanes(store, clock, log).watch((listed) => lanes.list(listed));
  broker.listen(EXCHANGES.changed, changedContracts, () => listing.lookSoon());
  const commands = broker.start(createCommandsActor(commandPorts));
  gossip.start();
  const notices = startWaitingNotices({
    broker,
    clock,
    log,
    untold: (lane, before, limit) => findUntoldMails(store, lane, { before, limit }),
    runners: () => lanes.runners,
    firstTierMs: settings.WAYPOST_RETRY_SCHEDULE[0] ?? 60_000,
  });
  return {
    notReady: () => (parts.configuration.isFresh ? undefined : "the configuration is not fresh"),
    stop: async () => {
      unfollow();
      preparation.stop();
      gossip.stop();
      listing.close();
      await drain({
        lanes,
        attempts,
        others: [() => notices.stop(), () => commands.cancel(), handed.settled],
        withinMs: settings.WAYPOST_DRAIN_SECONDS * 1_000 - LAST_VERDICTS_MS,
      });
      await parts.configuration.close();
    },
  };
}
