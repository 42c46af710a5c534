// The promise with two processes of each service: one of them is ended, and both.
import { SERVICES } from "#shared/broker/topology.ts";
import { killOf } from "./faults.ts";
import { keepsPromise } from "./keeps-promise.ts";

const REPLICAS = Object.fromEntries(SERVICES.map((service) => [service, 2]));

keepsPromise({ title: "Two processes of each service", replicas: REPLICAS }, [
  ...SERVICES.map((service) => killOf(service, { replica: 0, which: `one ${service} of two` })),
  ...SERVICES.map((service) => killOf(service, { which: `both ${service}` })),
  ...SERVICES.map((service) => killOf(service, { signal: "SIGTERM", replica: 1, which: `one ${service} of two` })),
]);
