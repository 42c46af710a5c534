// Runs one lane: consumes its two mailboxes as the plan says, probes while it is suspended, and knows its destinations.
// A suspended lane costs nothing: no consumer, one timer.
import type { Broker, Consumption, Delivery, Verdict } from "#shared/broker/actor.ts";
import { laneMailboxes } from "#shared/broker/topology.ts";
import type { Clock } from "#shared/clock.ts";
import { createSteadyClock } from "#shared/clock.ts";
import type { LaneHealth } from "#shared/contracts/relay-health.ts";
import type { MailMessage } from "#shared/contracts/mail.ts";
import { mailMessageSchema } from "#shared/contracts/mail.ts";
import type { Log } from "#shared/log.ts";
import type { Configuration, Relay } from "#shared/routing/configuration.ts";
import type { Lane } from "#shared/routing/lane.ts";
import type { BreakerState } from "./breaker.ts";
import { Destination } from "./destination.ts";
import type { LanePlan } from "./lane-plan.ts";
import { MX_PREFETCH, planLane, relayInUse } from "./lane-plan.ts";
import { Lasting } from "./lasting.ts";
import type { LocalAddresses } from "./target.ts";

export interface LanePorts {
  broker: Broker;
  clock: Clock;
  log: Log;
  /** The newest configuration that is known, fresh or not. */
  configuration: () => Configuration | undefined;
  /** Whether it is known to be the newest: attempts are made. */
  isFresh: () => boolean;
  isLocal: LocalAddresses;
  handle(runner: LaneRunner, delivery: Delivery<MailMessage>): Promise<Verdict>;
  /** Called at once when a relay's lane is suspended or comes back by what this replica saw. */
  onTurn(runner: LaneRunner): void;
}

/** Connections of one replica to one destination domain of the default route. */
const MX_CONNECTIONS = 10;
/** Those to a domain that has taken part in nothing of late. */
const MX_UNPROVEN_CONNECTIONS = 2;
const LOOK_AT_LASTING_EVERY_MS = 1_000;
const BULK_PROBE_AFTER_MS = 300;
const MOST_DOMAINS = 2_000;
/** Without a mail for so long, its next one is let in as a probe: whether the domain is remembered makes no difference. */
const SUSPENDED_KEPT_MS = 3_600_000;
/** Before a mailbox is looked at that nothing has said anything of. */
const LONGEST_SLEEP_MS = 60_000;

export class LaneRunner {
  readonly lane: Lane;
  readonly #ports: LanePorts;
  readonly #steady: Clock;
  readonly #consumptions: readonly [interactive: Consumption, bulk: Consumption];
  readonly #destinations = new Map<string, Destination>();
  #plan: LanePlan = STARTING;
  #closedSince: Date | undefined;
  #relayMark: string | undefined;
  #seen: { relay?: Relay | undefined; dedicatedIp?: string | undefined } = {};
  #wakeUp: NodeJS.Timeout | undefined;
  readonly #lookAtLasting: NodeJS.Timeout | undefined;
  #isProbeTaken = false;
  #isStopped = false;

  constructor(lane: Lane, ports: LanePorts) {
    this.lane = lane;
    this.#ports = ports;
    this.#steady = createSteadyClock(ports.clock);
    const { interactive, bulk } = laneMailboxes(lane.name);
    // A relay's mails wait for that relay alone.
    const lasting = lane.kind === "relay" ? [] : [new Lasting(MX_PREFETCH), new Lasting(MX_PREFETCH)];
    const start = (mailbox: typeof bulk, inHand: Lasting | undefined): Consumption =>
      ports.broker.startPaused(
        {
          mailbox: mailbox.name,
          contracts: { mail: mailMessageSchema },
          prefetch: 1,
          handle: (delivery: Delivery<MailMessage>) => this.#take(delivery, inHand),
        },
        mailbox,
      );
    this.#consumptions = [start(interactive, lasting[0]), start(bulk, lasting[1])];
    if (lane.kind === "relay") return;
    this.#lookAtLasting = setInterval(() => this.#refill(lasting), LOOK_AT_LASTING_EVERY_MS);
    this.#lookAtLasting.unref();
  }

  /** `relay` for a relay's lane; the recipient's domain on the default route. */
  destination(name: string): Destination {
    const known = this.#destinations.get(name);
    if (known !== undefined) return known;
    if (this.#destinations.size >= MOST_DOMAINS) this.#forgetIdle();
    const made = new Destination({
      clock: this.#ports.clock,
      connections: () => this.#connections,
      ...(this.lane.kind === "relay" ? {} : { unproven: MX_UNPROVEN_CONNECTIONS }),
      onChange: (was, is) => this.#onBreaker(name, was, is),
    });
    this.#destinations.set(name, made);
    return made;
  }

  get relayDestination(): Destination | undefined {
    return this.lane.kind === "relay" ? this.destination(RELAY) : undefined;
  }

  get #connections(): number {
    const configuration = this.#ports.configuration();
    if (this.lane.kind !== "relay" || configuration === undefined) return MX_CONNECTIONS;
    return relayInUse(this.lane, configuration)?.maxConnections ?? MX_CONNECTIONS;
  }

  get inFlight(): number {
    let sum = 0;
    for (const destination of this.#destinations.values()) sum += destination.inFlight;
    return sum;
  }

  get plan(): LanePlan {
    return this.#plan;
  }

  get health(): LaneHealth {
    const suspension = this.relayDestination?.breaker.suspension;
    const closed = this.#plan.kind === "closed" ? this.#plan : undefined;
    const state = closed?.state ?? (suspension === undefined ? "active" : "suspended");
    const lastResponse = suspension?.lastResponse ?? this.relayDestination?.lastResponse;
    const reason = closed?.reason ?? suspension?.reason;
    const cause = closed?.cause ?? (suspension === undefined ? undefined : "breaker");
    return {
      lane: this.lane.name,
      state,
      inFlight: this.inFlight,
      ...(state === "active" || this.#closedSince === undefined ? {} : { since: this.#closedSince.toISOString() }),
      ...(reason === undefined || state === "active" ? {} : { reason }),
      ...(cause === undefined || state === "active" ? {} : { cause }),
      ...(lastResponse === undefined ? {} : { lastResponse }),
    };
  }

  /** Since when nothing but probes leaves the lane. */
  get closedSince(): Date | undefined {
    return this.#closedSince;
  }

  /** Looks at configuration, breaker and machine, and brings the mailboxes to what follows from them. */
  follow(): void {
    const configuration = this.#ports.configuration();
    if (this.#isStopped || configuration === undefined) return;
    this.#resetWhereChanged(configuration);
    const destination = this.relayDestination;
    this.#apply(
      planLane({
        lane: this.lane,
        configuration,
        breaker: destination?.breaker ?? NO_BREAKER,
        connections: destination?.connections ?? MX_CONNECTIONS,
        isLocal: this.#ports.isLocal,
        nowMs: this.#ports.clock.nowMs(),
      }),
    );
    destination?.admit();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#wakeUp);
    clearInterval(this.#lookAtLasting);
    for (const destination of this.#destinations.values()) destination.close();
    await Promise.all(this.#consumptions.map((consumption) => consumption.cancel()));
  }

  /** An attempt of the probe's came to nothing that says anything: the next mail is the probe. */
  probeAgain(): void {
    if (this.relayDestination?.isProbeDue !== true) return;
    this.#plan = STARTING;
    this.#isProbeTaken = false;
    this.follow();
  }

  /** Domains that make wait do not keep out the others of the lane. */
  #refill(lasting: readonly Lasting[]): void {
    if (this.#plan.kind !== "open" || !this.#ports.isFresh()) return;
    for (const [index, consumption] of this.#consumptions.entries()) {
      if (lasting[index]?.isRefillDue(this.#steady.nowMs()) === true) void consumption.refill();
    }
  }

  async #take(delivery: Delivery<MailMessage>, inHand: Lasting | undefined): Promise<Verdict> {
    const end = inHand?.begin(this.#steady.nowMs());
    if (this.#plan.kind === "probe" && !this.#isProbeTaken) {
      this.#isProbeTaken = true;
      this.#pause();
    }
    try {
      return await this.#ports.handle(this, delivery);
    } finally {
      end?.();
      if (this.#isProbeTaken) this.probeAgain();
    }
  }

  #resetWhereChanged(configuration: Configuration): void {
    if (this.lane.kind !== "relay") return;
    const relay = configuration.relay(this.lane.account, this.lane.domain);
    const dedicatedIp = configuration.account(this.lane.account)?.dedicatedIp;
    if (this.#relayMark !== undefined && relay === this.#seen.relay && dedicatedIp === this.#seen.dedicatedIp) return;
    this.#seen = { relay, dedicatedIp };
    const mark = JSON.stringify([{ ...relay, held: false }, dedicatedIp]);
    if (this.#relayMark !== undefined && this.#relayMark !== mark) {
      const destination = this.destination(RELAY);
      this.#relayMark = mark;
      if (destination.isSuspended) this.#ports.log.info({ lane: this.lane.name }, "lane.reset");
      destination.reset();
      destination.pool.closeAll();
    }
    this.#relayMark = mark;
  }

  #apply(plan: LanePlan): void {
    const was = this.#plan;
    this.#plan = plan;
    if (plan.kind === "probe" && was.kind === "probe") return;
    if (plan.kind === "open" && was.kind === "open" && plan.prefetch === was.prefetch) return;
    clearTimeout(this.#wakeUp);
    if (plan.kind === "open") this.#closedSince = undefined;
    else this.#closedSince ??= this.#ports.clock.now();
    switch (plan.kind) {
      case "open":
        for (const consumption of this.#consumptions) void consumption.resume(plan.prefetch);
        return;
      case "probe":
        return this.#probe();
      case "closed": {
        this.#pause();
        if (plan.state === "held") this.relayDestination?.close();
        const waitMs = (plan.untilMs ?? Infinity) - this.#ports.clock.nowMs();
        this.#wakeUp = setTimeout(() => this.follow(), Math.min(Math.max(waitMs, 0), LONGEST_SLEEP_MS));
        this.#wakeUp.unref();
      }
    }
  }

  #probe(): void {
    this.#isProbeTaken = false;
    const [interactive, bulk] = this.#consumptions;
    void interactive.resume(1);
    this.#wakeUp = setTimeout(() => {
      if (this.#plan.kind === "probe" && !this.#isProbeTaken) void bulk.resume(1);
    }, BULK_PROBE_AFTER_MS);
    this.#wakeUp.unref();
  }

  #pause(): void {
    clearTimeout(this.#wakeUp);
    for (const consumption of this.#consumptions) void consumption.pause();
  }

  #onBreaker(name: string, was: BreakerState, is: BreakerState): void {
    const { suspension } = is;
    const hasTurned = (was.suspension === undefined) !== (suspension === undefined);
    if (hasTurned) {
      const destination = name === RELAY ? {} : { domain: name };
      const facts = { lane: this.lane.name, ...destination, reason: suspension?.reason ?? was.suspension?.reason };
      if (suspension === undefined) this.#ports.log.info(facts, "lane.resumed");
      else this.#ports.log.warn(facts, "lane.suspended");
    }
    if (name !== RELAY) return;
    const moved =
      hasTurned || is.allowance !== was.allowance || suspension?.nextProbeMs !== was.suspension?.nextProbeMs;
    if (moved) this.follow();
    if (hasTurned) this.#ports.onTurn(this);
  }

  #forgetIdle(): void {
    const keptSinceMs = this.#ports.clock.nowMs() - SUSPENDED_KEPT_MS;
    for (const [name, { isIdle, isSuspended, lastUsedMs }] of this.#destinations) {
      if (isIdle && (!isSuspended || lastUsedMs < keptSinceMs)) this.#destinations.delete(name);
    }
  }
}

const STARTING: LanePlan = { kind: "closed", state: "suspended", cause: "breaker", reason: "starting" };

/** The name of a relay lane's only destination. */
export const RELAY = "";
const NO_BREAKER: BreakerState = {
  faults: 0,
  lastSuccessMs: 0,
  allowance: undefined,
  successes: 0,
  suspension: undefined,
};
