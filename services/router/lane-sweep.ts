// The list of lanes, looked over about every minute: a relay's lane is deleted only after the longest deadline has passed since its
// relay was removed (design, Routing; until then it stays consumed and forwards what is in it), and what is missing there is listed.
import type { Broker } from "#shared/broker/actor.ts";
import { laneMailboxes } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Configuration, ConfigurationPort } from "#shared/routing/configuration.ts";
import type { Lanes, ListedLane } from "#shared/store/lanes.ts";
import { listUnlisted } from "./unlisted-lanes.ts";

/** The longest deadline there can be (WAYPOST_RETRY_DEADLINE is at most 48h), and an hour for what is under way. */
export const KEPT_UNUSED_MS = 49 * 3_600_000;
const SWEEP_MS = 60_000;

export type LaneFate = "keep" | "mark-unused" | "mark-used" | "delete";

export function fateOfLane({ lane, unusedSince }: ListedLane, configuration: Configuration, now: Date): LaneFate {
  if (lane.kind !== "relay") return "keep";
  const relay = configuration.relay(lane.account, lane.domain);
  const isUsed = relay !== undefined && relay.removed === undefined;
  if (isUsed) return unusedSince === undefined ? "keep" : "mark-used";
  if (unusedSince === undefined) return "mark-unused";
  return now.getTime() - unusedSince.getTime() > KEPT_UNUSED_MS ? "delete" : "keep";
}

export interface LaneSweepPorts {
  broker: Broker;
  lanes: Lanes;
  configuration: ConfigurationPort;
  clock: Clock;
  log: Log;
}

async function endUnused(ports: LaneSweepPorts, found: readonly ListedLane[]): Promise<void> {
  const { lanes, configuration, clock } = ports;
  const now = clock.now();
  const current = configuration.current();
  for (const listed of found) {
    const fate = fateOfLane(listed, current, now);
    if (fate === "mark-unused") await lanes.markUnused(listed.lane.name, now);
    if (fate === "mark-used") await lanes.markUnused(listed.lane.name, undefined);
    if (fate === "delete") await deleteLane(ports, listed.lane.name);
  }
}

async function deleteLane({ broker, lanes, log }: LaneSweepPorts, name: string): Promise<void> {
  const { interactive, bulk } = laneMailboxes(name);
  for (const mailbox of [interactive, bulk]) {
    if (((await broker.depth(mailbox.name)) ?? 0) > 0) {
      log.warn({ lane: name }, "lane.unused_not_empty");
      return;
    }
  }
  await lanes.remove(name);
  for (const mailbox of [interactive, bulk]) await broker.deleteQueue(mailbox.name);
  log.info({ lane: name }, "lane.deleted");
}

/** Sweeps about every minute until stopped; any number of routers may. */
export function startLaneSweep(ports: LaneSweepPorts): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const { clock, log, lanes } = ports;
  const unmade = new Set<string>();
  const sweep = async (): Promise<void> => {
    const listed = await lanes.list();
    await endUnused(ports, listed);
    await listUnlisted({ ...ports, stopping: stopped.signal }, listed, unmade);
  };
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await clock.sleep(SWEEP_MS * (0.5 + clock.random()), stopped.signal).catch(() => undefined);
      if (stopped.signal.aborted) return;
      await sweep().catch((error: unknown) => {
        if (!isRetriable(error)) log.error({ err: error }, "lane.sweep_failed");
      });
    }
  };
  const running = run();
  return {
    stop: () => {
      stopped.abort();
      return running;
    },
  };
}
