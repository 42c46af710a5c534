// The promise under each further fault, with one process of each service and TCP proxies before broker and database.
import { QUEUES, SERVICES } from "#shared/broker/topology.ts";
import { changeStreamsLost, proxyFault } from "./connection-faults.ts";
import { deletionOf, diskAlarm, killOf, unknownVersion } from "./faults.ts";
import { keepsPromise } from "./keeps-promise.ts";
import { relayRemoved } from "./relay-faults.ts";

keepsPromise({ proxied: true }, [
  ...SERVICES.map((service) => killOf(service, { signal: "SIGTERM" })),
  ...(["broker", "database"] as const).flatMap((which) =>
    (["cut", "stall", "slow"] as const).map((how) => proxyFault(which, how)),
  ),
  changeStreamsLost,
  diskAlarm,
  unknownVersion,
  relayRemoved("reroute"),
  relayRemoved("bounce"),
  ...[QUEUES.events, QUEUES.attempts, QUEUES.batches, QUEUES.jobsInteractive].map((queue) => deletionOf(queue)),
]);
