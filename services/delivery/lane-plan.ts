// What a lane should be doing now: plain reckoning over configuration, breaker and machine.
import type { LaneHealth } from "#shared/contracts/relay-health.ts";
import type { Account, Configuration, Relay } from "#shared/routing/configuration.ts";
import type { Lane } from "#shared/routing/lane.ts";
import type { BreakerState } from "./breaker.ts";
import { isProbeDue } from "./breaker.ts";

export type LanePlan =
  /** `forwarder`: the relay is not in use any more; what is in the lane is routed again. */
  | { kind: "open"; prefetch: number; forwarder?: true }
  | { kind: "probe" }
  | { kind: "closed"; state: "suspended" | "held"; cause: LaneCause; reason: string; untilMs?: number };

export type LaneCause = NonNullable<LaneHealth["cause"]>;

export interface LaneGround {
  lane: Lane;
  configuration: Configuration;
  breaker: BreakerState;
  connections: number;
  isLocal: (address: string) => boolean;
  nowMs: number;
}

const FORWARDER_PREFETCH = 20;
export const MX_PREFETCH = 100;

export function relayInUse(lane: Lane, configuration: Configuration): Relay | undefined {
  if (lane.kind !== "relay") return undefined;
  const relay = configuration.relay(lane.account, lane.domain);
  return relay?.enabled === true && relay.removed === undefined ? relay : undefined;
}

/** The address that the lane's mails must leave from; none any more where no account has it: they are routed again. */
export function sourceAddressOf(lane: Lane, configuration: Configuration): string | undefined {
  switch (lane.kind) {
    case "relay":
      return accountOf(lane.account, configuration)?.dedicatedIp;
    case "mx-ip":
      return configuration.accounts().some(({ dedicatedIp }) => dedicatedIp === lane.address)
        ? lane.address
        : undefined;
    case "mx":
      return undefined;
  }
}

const accountOf = (name: string, configuration: Configuration): Account | undefined => configuration.account(name);

/** As many as have a place, and as many again on their way from and to the broker. */
const prefetchOf = (connections: number): number => connections * 2 + 2;

export function planLane(ground: LaneGround): LanePlan {
  const { lane, configuration, isLocal } = ground;
  const relay = relayInUse(lane, configuration);
  if (lane.kind === "relay" && relay === undefined) {
    return { kind: "open", prefetch: FORWARDER_PREFETCH, forwarder: true };
  }
  if (relay?.held === true) return { kind: "closed", state: "held", cause: "operator", reason: "held by an operator" };
  const address = sourceAddressOf(lane, configuration);
  if (address !== undefined && !isLocal(address)) {
    return {
      kind: "closed",
      state: "suspended",
      cause: "address",
      reason: `no replica that is known has the dedicated IP ${address}`,
    };
  }
  if (lane.kind !== "relay") return { kind: "open", prefetch: MX_PREFETCH };
  return planRelay(ground);
}

function planRelay({ breaker, connections, nowMs }: LaneGround): LanePlan {
  const { suspension } = breaker;
  if (suspension === undefined) return { kind: "open", prefetch: prefetchOf(connections) };
  if (isProbeDue(suspension, nowMs)) return { kind: "probe" };
  return {
    kind: "closed",
    state: "suspended",
    cause: "breaker",
    reason: suspension.reason,
    untilMs: suspension.nextProbeMs,
  };
}
