// What delivery replicas last said of their lanes (waypost.relay-health), and how many mails wait in them.
import type { Broker } from "#shared/broker/actor.ts";
import { EXCHANGES, laneMailboxes } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { LaneHealth, RelayHealthMessage } from "#shared/contracts/relay-health.ts";
import { relayHealthMessageSchema } from "#shared/contracts/relay-health.ts";
import type { Lanes } from "#shared/store/lanes.ts";

export interface LaneState {
  /** Ready messages in both mailboxes. */
  depth: number;
  inFlight: number;
  state: "active" | "suspended" | "held";
  reason?: string;
  lastResponse?: string;
  since?: string;
}

export interface LaneStates {
  /** `isHeld`: what the configuration says, which counts before any replica has told. */
  of(lane: string, isHeld: boolean): Promise<LaneState>;
}

/** A replica states its lanes every 2 s; one that was silent for five times as long is gone. */
const REPLICA_GONE_MS = 10_000;
const LISTED_FOR_MS = 250;

export interface LaneStatePorts {
  broker: Broker;
  clock: Clock;
  lanes: Pick<Lanes, "list">;
}

interface Heard {
  atMs: number;
  health: LaneHealth;
}

type Health = Omit<LaneState, "depth">;

/** One state out of those that the replicas tell: held before suspended before active, with the newest facts. */
export function mergeHealth(heard: readonly LaneHealth[], isHeld: boolean): Health {
  const suspended = heard.find((health) => health.state === "suspended");
  const state = isHeld ? "held" : suspended === undefined ? "active" : "suspended";
  const newest = heard.toSorted((a, b) => (b.since ?? "").localeCompare(a.since ?? ""));
  const teller = newest.find((health) => health.state === state) ?? newest[0];
  const lastResponse = teller?.lastResponse ?? newest.find((health) => health.lastResponse !== undefined)?.lastResponse;
  return {
    inFlight: heard.reduce((sum, health) => sum + health.inFlight, 0),
    state,
    ...(teller?.state !== state || teller.reason === undefined ? {} : { reason: teller.reason }),
    ...(lastResponse === undefined ? {} : { lastResponse }),
    ...(teller?.state !== state || teller.since === undefined ? {} : { since: teller.since }),
  };
}

/** The lanes that there are, asked for once in a while: a lane that is not listed has no mailboxes to be asked for. */
function listedLanes(lanes: Pick<Lanes, "list">, clock: Clock): () => Promise<ReadonlySet<string>> {
  let asked = { atMs: -Infinity, names: Promise.resolve<ReadonlySet<string>>(new Set()) };
  return () => {
    if (clock.nowMs() - asked.atMs < LISTED_FOR_MS) return asked.names;
    const names = lanes.list().then((found) => new Set(found.map(({ lane }) => lane.name)));
    asked = { atMs: clock.nowMs(), names };
    names.catch(() => {
      asked = { ...asked, atMs: -Infinity };
    });
    return names;
  };
}

export function createLaneStates({ broker, clock, lanes: known }: LaneStatePorts): LaneStates {
  const listed = listedLanes(known, clock);
  const lanes = new Map<string, Map<string, Heard>>();
  const hear = (message: RelayHealthMessage): void => {
    for (const health of message.lanes) {
      const replicas = lanes.get(health.lane) ?? new Map<string, Heard>();
      replicas.set(message.replica, { atMs: clock.nowMs(), health });
      lanes.set(health.lane, replicas);
    }
  };
  broker.listen(EXCHANGES.relayHealth, { "relay-health": relayHealthMessageSchema }, hear);

  const heardOf = (lane: string): LaneHealth[] => {
    const replicas = lanes.get(lane);
    if (replicas === undefined) return [];
    for (const [replica, { atMs }] of replicas) {
      if (clock.nowMs() - atMs > REPLICA_GONE_MS) replicas.delete(replica);
    }
    if (replicas.size === 0) lanes.delete(lane);
    return [...replicas.values()].map(({ health }) => health);
  };

  const depthOf = async (lane: string): Promise<number> => {
    if (!(await listed()).has(lane)) return 0;
    const { interactive, bulk } = laneMailboxes(lane);
    const depths = await Promise.all([broker.depth(interactive.name), broker.depth(bulk.name)]);
    return depths.reduce<number>((sum, depth) => sum + (depth ?? 0), 0);
  };

  return {
    of: async (lane, isHeld) => {
      const health = mergeHealth(heardOf(lane), isHeld);
      return { depth: await depthOf(lane), ...health };
    },
  };
}
