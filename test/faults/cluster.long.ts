// The promise on a RabbitMQ cluster of three nodes and a MongoDB replica set of three members, each of which is lost.
import { CLUSTER_FAULTS, REPLICA_SET_FAULTS } from "./cluster-faults.ts";
import { keepsPromise } from "./keeps-promise.ts";

keepsPromise({ title: "Three nodes of RabbitMQ, three members of MongoDB", clustered: true }, [
  ...REPLICA_SET_FAULTS,
  ...CLUSTER_FAULTS,
]);
