// What a service is to the frame that runs it: its name, its ports, how it starts and how it stops.
import type { Broker } from "#shared/broker/actor.ts";
import type { ServiceName } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { SettingsOf } from "#shared/settings.ts";
import type { Store } from "#shared/store/connection.ts";

export interface ServiceContext<S extends ServiceName> {
  name: S;
  settings: SettingsOf<S>;
  log: Log;
  clock: Clock;
  broker: Broker;
  store: Store;
}

export interface RunningService {
  /** What keeps the service from being ready, beside broker and database; undefined when nothing does. */
  notReady?(): string | undefined;
  /** Takes no new work and finishes what is in hand; called on SIGTERM before the broker and the store are closed. */
  stop(): Promise<void>;
}

export interface ServiceDefinition<S extends ServiceName> {
  name: S;
  /** The ports it listens on, beside the health port: checked before anything is opened, whatever else is wrong. */
  ports(settings: Partial<SettingsOf<S>>): readonly { setting: string; port: number | undefined }[];
  /** Further mistakes in the settings that only a look at the machine shows (files): one line each. */
  check?(settings: Partial<SettingsOf<S>>): Promise<readonly string[]>;
  start(context: ServiceContext<S>): Promise<RunningService>;
}
