// What delivery replicas tell each other over waypost.relay-health: all lanes every 2 s, a suspension or a resumption at once.
import type { Broker } from "#shared/broker/actor.ts";
import { EXCHANGES } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import { MESSAGE_VERSION } from "#shared/contracts/mail.ts";
import type { LaneHealth, RelayHealthMessage } from "#shared/contracts/relay-health.ts";
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

export interface GossipPorts {
  broker: Broker;
  clock: Clock;
  log: Log;
  replica: string;
  configuration: () => Configuration | undefined;
  isLocal: LocalAddresses;
}

export class Gossip {
  readonly #ports: GossipPorts;
  readonly #lanes: LaneSet;
  readonly #heard = new Map<string, { ms: number; addresses: readonly string[] }>();
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

  hear(message: RelayHealthMessage): void {
    if (message.replica === this.#ports.replica) return;
    this.#heard.set(message.replica, { ms: this.#ports.clock.nowMs(), addresses: message.addresses });
    this.#isHearing = true;
    for (const health of message.lanes) this.#act(health, message);
    this.#isHearing = false;
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
    const { broker, clock, replica, log } = this.#ports;
    const body: RelayHealthMessage = {
      version: MESSAGE_VERSION,
      replica,
      at: clock.now().toISOString(),
      kind,
      lanes,
      addresses: this.#dedicated().filter((address) => this.#ports.isLocal(address)),
    };
    const message = { exchange: EXCHANGES.relayHealth, routingKey: "", type: "relay-health", body, transient: true };
    void broker.publish([message], { timeoutMs: PUBLISH_MS }).catch((error: unknown) => {
      log.debug({ err: error }, "relay-health.unsaid");
    });
  }

  #dedicated(): string[] {
    const accounts = this.#ports.configuration()?.accounts() ?? [];
    return accounts.flatMap(({ dedicatedIp }) => (dedicatedIp === undefined ? [] : [dedicatedIp]));
  }

  /** A clear alarm where no replica that is heard of has a lane's address: its mails wait. */
  #alarm(): void {
    const configuration = this.#ports.configuration();
    if (configuration === undefined) return;
    const heardSince = this.#ports.clock.nowMs() - FORGOTTEN_MS;
    const known = new Set([...this.#heard.values()].flatMap(({ ms, addresses }) => (ms > heardSince ? addresses : [])));
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
