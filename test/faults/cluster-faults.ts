// Faults of a RabbitMQ cluster and of a MongoDB replica set of three.
import { setTimeout as sleep } from "node:timers/promises";
import type { PrivateBroker } from "#deploy/local/broker.ts";
import { QUEUES } from "#shared/broker/topology.ts";
import { connectManagement } from "#test/support/management.ts";
import type { Ground } from "./ground.ts";
import type { Member, ReplicaSet } from "./replica-set.ts";
import type { Fault } from "./scenario.ts";

/** How long a node or a member stays away. */
const AWAY_MS = 5_000;

type Choice = (ground: Ground) => Promise<PrivateBroker>;

/** The node that leads the queue of the jobs. */
const leader: Choice = async ({ nodes, vhost, broker }) => {
  const path = `/queues/${encodeURIComponent(vhost)}/${QUEUES.jobsInteractive}`;
  const queue = (await connectManagement(broker.managementUrl).call("GET", path)) as { leader?: string };
  const found = nodes.find(({ nodeName }) => nodeName === queue.leader);
  if (found === undefined) throw new Error(`no node is called ${queue.leader ?? "nothing"}`);
  return found;
};

const follower: Choice = async (ground) => {
  const leading = await leader(ground);
  const found = ground.nodes.findLast((node) => node !== leading);
  if (found === undefined) throw new Error("this fault needs a cluster");
  return found;
};

/** The one that the services name first. */
const first: Choice = async ({ broker }) => broker;

function nodeKilled(name: string, choose: Choice): Fault {
  return {
    name,
    apply: async (ground) => {
      const node = await choose(ground);
      await node.kill();
      await sleep(AWAY_MS);
      await node.start();
    },
  };
}

function setOf({ replicaSet }: Ground): ReplicaSet {
  if (replicaSet === undefined) throw new Error("this fault needs a replica set of three");
  return replicaSet;
}

function memberKilled(name: string, choose: (set: ReplicaSet) => Promise<Member | undefined>): Fault {
  return {
    name,
    apply: async (ground) => {
      const member = await choose(setOf(ground));
      await member?.kill();
      await sleep(AWAY_MS);
      await member?.start();
    },
  };
}

async function secondaryOf(set: ReplicaSet): Promise<Member | undefined> {
  const primary = await set.primary();
  return set.members.find((member) => member !== primary);
}

export const CLUSTER_FAULTS: readonly Fault[] = [
  nodeKilled("RabbitMQ cluster: kill -9 of a node that follows, back after 5 s", follower),
  nodeKilled("RabbitMQ cluster: kill -9 of the leader of the jobs, back after 5 s", leader),
  nodeKilled("RabbitMQ cluster: kill -9 of the node connected to, back after 5 s", first),
  {
    name: "RabbitMQ cluster: each node killed -9 in turn, back after 5 s",
    apply: async ({ nodes }) => {
      for (const node of nodes) {
        await node.kill();
        await sleep(AWAY_MS);
        await node.start();
      }
    },
  },
];

export const REPLICA_SET_FAULTS: readonly Fault[] = [
  { name: "replica set: the primary steps down", apply: (ground) => setOf(ground).stepDown() },
  memberKilled("replica set: kill -9 of the primary, back after 5 s", (set) => set.primary()),
  memberKilled("replica set: kill -9 of a secondary, back after 5 s", secondaryOf),
];
