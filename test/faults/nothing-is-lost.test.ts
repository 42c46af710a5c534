// The promise under each fault: what was accepted ends exactly once, reaches the relay and the endpoint, and nothing is left over.
// `npm run test:faults -- --long` plays many more (the files *.long.ts).
import { QUEUES, SERVICES } from "#shared/broker/topology.ts";
import { brokerKilled, databaseKilled, deletionOf, killOf, memoryAlarm, poisonEverywhere } from "./faults.ts";
import { keepsPromise } from "./keeps-promise.ts";

keepsPromise({ title: "One process of each service" }, [
  ...SERVICES.map((service) => killOf(service)),
  brokerKilled,
  databaseKilled,
  memoryAlarm,
  poisonEverywhere,
  deletionOf(QUEUES.jobsInteractive),
]);
