// Lanes that are new: listed at once, and their mailboxes are declared while others are routed. A broker that is busy takes a
// second for each, and whoever set up a hundred relays would keep all others waiting.
import type { Broker } from "#shared/broker/actor.ts";
import { laneMailboxes } from "#shared/broker/topology.ts";
import { changedMessage } from "#shared/contracts/configuration-changed.ts";
import type { Log } from "#shared/log.ts";
import type { Lane } from "#shared/routing/lane.ts";
import type { Lanes } from "#shared/store/lanes.ts";

export interface NewLanePorts {
  lanes: Pick<Lanes, "ensure">;
  broker: Pick<Broker, "declare" | "publish">;
  log: Log;
}

export class NewLanes {
  readonly #ports: NewLanePorts;
  readonly #making = new Map<string, Promise<void>>();

  constructor(ports: NewLanePorts) {
    this.#ports = ports;
  }

  /** Lists each lane once, and begins to make those that are new. */
  async list(wanted: readonly Lane[]): Promise<void> {
    const byName = new Map(wanted.map((lane) => [lane.name, lane]));
    await Promise.all([...byName.values()].map((lane) => this.#ensure(lane)));
  }

  /** What the first mails of lanes wait for, for a return would cost half a second; undefined where all are there. Never rejects. */
  whenMade(wanted: readonly Lane[]): Promise<void> | undefined {
    const making = wanted.flatMap(({ name }) => this.#making.get(name) ?? []);
    return making.length === 0 ? undefined : Promise.all(making).then(() => undefined);
  }

  async #ensure(lane: Lane): Promise<void> {
    if (!(await this.#ports.lanes.ensure(lane))) return;
    const made = this.#make(lane).finally(() => this.#making.delete(lane.name));
    this.#making.set(lane.name, made);
  }

  async #make({ name }: Lane): Promise<void> {
    const { broker, log } = this.#ports;
    const { interactive, bulk } = laneMailboxes(name);
    try {
      await Promise.all([broker.declare([interactive, bulk]), broker.publish([changedMessage()])]);
    } catch (error) {
      // Its mails come back as unroutable then, and declare it.
      log.warn({ lane: name, err: error }, "router.lane_not_made");
    }
  }
}
