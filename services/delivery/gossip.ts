// What delivery replicas tell each other over waypost.relay-health: all lanes every 2 s, a suspension or a resumption at once;
// and commands that they hand on to the one that has the dedicated IP for them.
import type { Broker, Outgoing } from "#shared/broker/actor.ts";
import { EXCHANGES } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import type { HandedCommand, LaneHealth, RelayHealthMessage } from "#shared/contracts/relay-health.ts";
import { relayHealthMessageSchema } from "#shared/contracts/relay-health.ts";
import type { Log } from "#shared/log.ts";
import type { Configuration } from "#shared/routing/configuration.ts";
import { sourceAddressOf } from "./lane-plan.ts";
import type { LaneRunner } from "./lane-runner.ts";
import type { LaneSet } from "./lane-set.ts";
import type { LocalAddresses } from "./target.ts";

export const REPORT_MS = 2_000;
/** A replica that has said nothing for this long is gone. */
const FORGOTTEN_MS = 10_000;
const PUBLISH_MS = 2_000;
/** By then every replica that knows the configuration has said which addresses it has. */
const HEARD_WITHIN_MS = REPORT_MS + 500;
const LISTEN_MS = 100;

interface Heard {
  ms: number;
  addresses: readonly string[];
}

export interface GossipPorts {
  broker: Broker;
  clock: Clock;
  log: Log;
  replica: string;
  configuration: () => Configuration | undefined;
  isLocal: LocalAddresses;
  /** A command that another replica handed on to this one. */
  onHanded(handed: HandedCommand): void;
}

export class Gossip {
  readonly #ports: GossipPorts;
  readonly #lanes: LaneSet;
  readonly #heard = new Map<string, Heard>();
  readonly #alarmed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isHearing = false;

  constructor(ports: GossipPorts, lanes: LaneSet) {
    this.#ports = ports;
    this.#lanes = lanes;
  }

  start(): void {
    const contracts = { "relay-health": relayHealthMessageSchema };
    this.#ports.broker.listen(EXCHANGES.relayHealth, contracts, (message) => this.hear(message));
    this.#timer = setInterval(() => {
      this.#alarm();
      const { health } = this.#lanes;
      // Where another replica has the address, that this one lacks it is no state of the lane.
      this.#say(
        "report",
        health.filter(({ cause, lane }) => cause !== "address" || this.#alarmed.has(lane)),
      );
      const configuration = this.#ports.configuration();
      if (configuration !== undefined) this.#lanes.followAddresses(configuration);
    }, REPORT_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A relay's lane turned by what this replica saw; what it heard of others it does not repeat. */
  tell(runner: LaneRunner): void {
    if (this.#isHearing) return;
    this.#say("change", [runner.health]);
  }

  /** A replica that has this address, by what is heard until all that there are have had time to say so. */
  async replicaWith(address: string): Promise<string | undefined> {
    for (let waitedMs = 0; ; waitedMs += LISTEN_MS) {
      const found = this.#heardOf().find(([, { addresses }]) => addresses.includes(address));
      if (found !== undefined || waitedMs >= HEARD_WITHIN_MS) return found?.[0];
      await this.#ports.clock.sleep(LISTEN_MS);
    }
  }

  handOn(handed: HandedCommand): Outgoing {
    return this.#message("change", [], handed);
  }

  hear(message: RelayHealthMessage): void {
    if (message.replica === this.#ports.replica) return;
    this.#heard.set(message.replica, { ms: this.#ports.clock.nowMs(), addresses: message.addresses });
    this.#isHearing = true;
    for (const health of message.lanes) this.#act(health, message);
    this.#isHearing = false;
    if (message.handed?.to === this.#ports.replica) this.#ports.onHanded(message.handed);
  }

  #act(health: LaneHealth, message: RelayHealthMessage): void {
    const destination = this.#lanes.find(health.lane)?.relayDestination;
    if (destination === undefined) return;
    if (health.cause === "breaker") {
      const sinceMs = Date.parse(health.since ?? message.at);
      destination.told({ reason: health.reason ?? "suspended", response: health.lastResponse, sinceMs });
    } else if (health.state === "active" && message.kind === "change") {
      destination.resume();
    }
  }

  #say(kind: RelayHealthMessage["kind"], lanes: LaneHealth[]): void {
    const { broker, log } = this.#ports;
    void broker.publish([this.#message(kind, lanes)], { timeoutMs: PUBLISH_MS }).catch((error: unknown) => {
      log.debug({ err: error }, "relay-health.unsaid");
    });
  }

  #message(kind: RelayHealthMessage["kind"], lanes: LaneHealth[], handed?: HandedCommand): Outgoing {
    const { clock, replica } = this.#ports;
    const body: RelayHealthMessage = {
      version: MESSAGE_VERSION,
      replica,
      at: clock.now().toISOString(),
      kind,
      lanes,
      addresses: this.#dedicated().filter((address) => this.#ports.isLocal(address)),
      ...(handed === undefined ? {} : { handed }),
    };
    return { exchange: EXCHANGES.relayHealth, routingKey: "", type: "relay-health", body, transient: true };
  }

  #heardOf(): [replica: string, said: Heard][] {
    const heardSince = this.#ports.clock.nowMs() - FORGOTTEN_MS;
    return [...this.#heard].filter(([, { ms }]) => ms > heardSince);
  }

  #dedicated(): string[] {
    const accounts = this.#ports.configuration()?.accounts() ?? [];
    return accounts.flatMap(({ dedicatedIp }) => (dedicatedIp === undefined ? [] : [dedicatedIp]));
  }

  /** A clear alarm where no replica that is heard of has a lane's address: its mails wait. */
  #alarm(): void {
    const configuration = this.#ports.configuration();
    if (configuration === undefined) return;
    const known = new Set(this.#heardOf().flatMap(([, { addresses }]) => addresses));
    for (const runner of this.#lanes.runners) {
      const address = sourceAddressOf(runner.lane, configuration);
      const isMissing = address !== undefined && !this.#ports.isLocal(address) && !known.has(address);
      if (isMissing && !this.#alarmed.has(runner.lane.name)) {
        this.#alarmed.add(runner.lane.name);
        this.#ports.log.error({ lane: runner.lane.name, address }, "lane.no_source_address");
      } else if (!isMissing) this.#alarmed.delete(runner.lane.name);
    }
  }
}
