// All lanes of this replica: as the collection `lanes` lists them, each following the configuration; and what is said of
// them to the other replicas and to control.
import type { LaneHealth } from "#shared/contracts/relay-health.ts";
import type { Lane } from "#shared/routing/lane.ts";
import type { Configuration } from "#shared/routing/configuration.ts";
import { sourceAddressOf } from "./lane-plan.ts";
import type { LanePorts } from "./lane-runner.ts";
import { LaneRunner } from "./lane-runner.ts";

const FOLLOW_AFTER_MS = 50;

export class LaneSet {
  readonly #ports: LanePorts;
  readonly #runners = new Map<string, LaneRunner>();
  #following: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(ports: LanePorts) {
    this.#ports = ports;
  }

  get runners(): readonly LaneRunner[] {
    return [...this.#runners.values()];
  }

  find(lane: string): LaneRunner | undefined {
    return this.#runners.get(lane);
  }

  /** What is listed is run, what is not listed any more is let go. */
  list(lanes: readonly Lane[]): void {
    if (this.#isStopped) return;
    const listed = new Set(lanes.map((lane) => lane.name));
    for (const lane of lanes) {
      if (this.#runners.has(lane.name)) continue;
      const runner = new LaneRunner(lane, this.#ports);
      this.#runners.set(lane.name, runner);
      runner.follow();
    }
    for (const [name, runner] of this.#runners) {
      if (listed.has(name)) continue;
      this.#runners.delete(name);
      void runner.stop();
    }
  }

  /** After a change of the configuration; of many that come together, once for all. */
  follow(): void {
    this.#following ??= setTimeout(() => {
      this.#following = undefined;
      for (const runner of this.#runners.values()) runner.follow();
    }, FOLLOW_AFTER_MS);
  }

  /** A dedicated IP may have come to this machine, or left it. */
  followAddresses(configuration: Configuration): void {
    for (const runner of this.#runners.values()) {
      if (sourceAddressOf(runner.lane, configuration) !== undefined) runner.follow();
    }
  }

  /** Lanes of which there is something to say: those that are not said of are active and at rest. */
  get health(): LaneHealth[] {
    return this.runners
      .map((runner) => runner.health)
      .filter((health) => health.state !== "active" || health.inFlight > 0 || health.lastResponse !== undefined);
  }

  /** Takes nothing new. Resolves when nothing is in hand. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#following);
    await Promise.all(this.runners.map((runner) => runner.stop()));
  }
}
