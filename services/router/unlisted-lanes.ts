// Lanes that have mailboxes and are not listed: of a database that was set up anew, or restored from before they were made. Nobody
// consumes them, and what waits there would wait until somebody sends another mail by the same lane, or until its deadline.
import type { Broker } from "#shared/broker/actor.ts";
import { laneKeys } from "#shared/broker/topology.ts";
import type { Log } from "#shared/log.ts";
import type { ConfigurationPort } from "#shared/routing/configuration.ts";
import { lanesOf } from "#shared/routing/lane.ts";
import type { ListedLane, Lanes } from "#shared/store/lanes.ts";

export interface UnlistedLanePorts {
  broker: Pick<Broker, "depth">;
  lanes: Pick<Lanes, "ensure">;
  configuration: Pick<ConfigurationPort, "current">;
  log: Log;
  /** Of thousands of relays without a lane each is a question. */
  stopping: AbortSignal;
}

/** `unmade`: those of which it is known that the broker has nothing; they are asked for once. */
export async function listUnlisted(
  { broker, lanes, configuration, log, stopping }: UnlistedLanePorts,
  listed: readonly ListedLane[],
  unmade: Set<string>,
): Promise<void> {
  const known = new Set(listed.map(({ lane }) => lane.name));
  for (const name of known) unmade.delete(name);
  for (const lane of lanesOf(configuration.current())) {
    if (stopping.aborted) return;
    if (known.has(lane.name) || unmade.has(lane.name)) continue;
    if ((await broker.depth(laneKeys(lane.name).interactive)) === undefined) unmade.add(lane.name);
    else if (await lanes.ensure(lane)) log.warn({ lane: lane.name }, "lane.listed_again");
  }
}
