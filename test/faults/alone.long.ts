// The promise under each further fault, with one process of each service and TCP proxies before broker and database.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { QUEUES, SERVICES } from "#shared/broker/topology.ts";
import { changesUnanswered, proxyFault, writesUnanswered } from "./connection-faults.ts";
import { earlierMessages } from "./earlier-messages.ts";
import { clockJumps, deletionOf, diskAlarm, killOf, unknownVersion, waitingJobsDeleted } from "./faults.ts";
import { keepsPromise } from "./keeps-promise.ts";
import { relayRemoved } from "./relay-faults.ts";

const CLOCK = pathToFileURL(join(import.meta.dirname, "jumping-clock.ts")).href;

keepsPromise({ title: "One process of each service", proxied: true, env: { NODE_OPTIONS: `--import ${CLOCK}` } }, [
  ...SERVICES.map((service) => killOf(service, { signal: "SIGTERM" })),
  ...(["broker", "database"] as const).flatMap((which) =>
    (["cut", "stall", "slow"] as const).map((how) => proxyFault(which, how)),
  ),
  changesUnanswered,
  writesUnanswered,
  ...SERVICES.map((service) => clockJumps(service)),
  diskAlarm,
  earlierMessages,
  unknownVersion,
  relayRemoved("reroute"),
  relayRemoved("bounce"),
  ...[QUEUES.events, QUEUES.attempts, QUEUES.batches].map((queue) => deletionOf(queue)),
  waitingJobsDeleted,
]);
