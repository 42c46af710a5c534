// The channels of the consuming connection. A mailbox has one of its own; lanes share one by the dozen, for there may be
// thousands. A channel that the broker closes is opened again, and what consumed on it consumes again. One that may have
// consumers which the broker has forgotten is given up for another. RabbitMQ answers nothing to who would consume a quorum queue
// without a leader, and closes the whole connection for it a minute later, so such a lane is left alone for longer and longer.
import type { Channel, ChannelModel } from "amqplib";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import { settleTogether } from "./settle.ts";

const LANES_PER_CHANNEL = 32;
const LONGEST_BACKOFF_MS = 3_000;
const CLOSE_MS = 1_000;
/** What is in hand when its channel is given up has this long to be settled there; then the broker gives it out again. */
const SETTLE_MS = 15_000;
const SETTLE_POLL_MS = 50;
const INTERNAL_ERROR = 541;
/** What is not answered within this time was not going to be. */
const UNANSWERED_MS = 10_000;
const FIRST_ASIDE_MS = 60_000;
const LONGEST_ASIDE_MS = 600_000;

/** Whoever consumes on a channel. */
export interface Member {
  readonly queue: string;
  /** Since when an answer to its consume on the channel is waited for. */
  askedMs(channel: Channel): number | undefined;
  attach(channel: Channel): void;
  /** As `attach`, from a channel that is still open. */
  move(channel: Channel): Promise<void>;
  lose(channel: Channel): void;
  /** Whether deliveries of the channel are not settled yet. */
  holds(channel: Channel): boolean;
}

interface Slot {
  readonly members: Set<Member>;
  readonly capacity: number;
  channel: Channel | undefined;
  /** How often its one lane was set aside, and until when it is. */
  readonly asides: number;
  openFromMs: number;
}

const isInternalError = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === INTERNAL_ERROR;

function askedMs({ channel }: Slot, member: Member): number {
  return (channel === undefined ? undefined : member.askedMs(channel)) ?? Infinity;
}

export class ConsumerChannels {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #slots = new Set<Slot>();
  readonly #closing = new AbortController();
  #model: ChannelModel | undefined;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** After a connect: every channel is opened and every member attached. */
  async attach(model: ChannelModel): Promise<void> {
    this.#model = model;
    model.once("error", (error: unknown) => {
      if (isInternalError(error)) this.#setAside();
    });
    for (const slot of this.#slots) {
      if (slot.openFromMs > this.#clock.nowMs()) void this.#keepOpen(slot, model);
      else if (slot.channel === undefined) await this.#open(slot, model);
    }
  }

  /** The broker closes the connection by a fault of its own: the lane that it owes an answer for the longest time has a channel to itself, later. */
  #setAside(): void {
    const nowMs = this.#clock.nowMs();
    const asked = [...this.#slots]
      .filter((slot) => slot.capacity > 1 || slot.asides > 0)
      .flatMap((slot) => [...slot.members].map((member) => ({ slot, member, atMs: askedMs(slot, member) })))
      .filter(({ atMs }) => atMs < nowMs - UNANSWERED_MS)
      .toSorted((a, b) => a.atMs - b.atMs);
    const [first] = asked;
    if (first === undefined) return;
    const { slot, member } = first;
    if (slot.channel !== undefined) member.lose(slot.channel);
    slot.members.delete(member);
    if (slot.members.size === 0) this.#slots.delete(slot);
    const forMs = Math.min(FIRST_ASIDE_MS * 2 ** slot.asides, LONGEST_ASIDE_MS);
    const aside = { capacity: 1, channel: undefined, asides: slot.asides + 1, openFromMs: nowMs + forMs };
    this.#slots.add({ members: new Set([member]), ...aside });
    this.#log.error({ queue: member.queue, forMs }, "broker.queue_unanswering");
  }

  detach(): void {
    this.#model = undefined;
    for (const slot of this.#slots) this.#lose(slot);
  }

  join(member: Member, options: { shared: boolean }): void {
    const capacity = options.shared ? LANES_PER_CHANNEL : 1;
    const free = [...this.#slots].find((slot) => slot.capacity === capacity && slot.members.size < capacity);
    const slot: Slot = free ?? { members: new Set(), capacity, channel: undefined, asides: 0, openFromMs: 0 };
    slot.members.add(member);
    if (free === undefined) {
      this.#slots.add(slot);
      if (this.#model !== undefined) void this.#keepOpen(slot, this.#model);
    } else if (slot.channel !== undefined) {
      member.attach(slot.channel);
    }
  }

  leave(member: Member): void {
    for (const slot of this.#slots) {
      if (!slot.members.delete(member)) continue;
      if (slot.members.size > 0) return;
      this.#slots.delete(slot);
      const channel = slot.channel;
      slot.channel = undefined;
      void channel?.close().catch((error: unknown) => this.#log.debug({ err: error }, "broker.channel_close_failed"));
      return;
    }
  }

  /**
   * Lets whoever shares the member's channel consume on a fresh one: a consumer that the broker has forgotten ends with its
   * channel. A lane that is left alone gets its channel now: its queue is another one.
   */
  async renew(member: Member): Promise<void> {
    const slot = [...this.#slots].find(({ members }) => members.has(member));
    if (slot === undefined) return;
    const model = this.#model;
    const isAside = slot.openFromMs > this.#clock.nowMs();
    slot.openFromMs = 0;
    const former = slot.channel;
    if (model === undefined) return;
    if (former === undefined) return isAside ? this.#keepOpen(slot, model) : undefined;
    const channel = await this.#create(slot, model);
    if (slot.channel !== former) return channel.close();
    slot.channel = channel;
    void this.#leave(former, [...slot.members], channel);
  }

  /** Closed once what it delivered is settled, or has had its time: then the broker gives it out again. */
  async #leave(former: Channel, members: readonly Member[], channel: Channel): Promise<void> {
    let isLeft = false;
    const moved = Promise.allSettled(members.map((member) => member.move(channel)));
    void moved.then(() => {
      isLeft = true;
    });
    const until = this.#clock.nowMs() + SETTLE_MS;
    while (this.#clock.nowMs() < until && !(isLeft && members.every((member) => !member.holds(former)))) {
      await this.#clock.sleep(SETTLE_POLL_MS);
    }
    await former.close().catch((error: unknown) => this.#log.debug({ err: error }, "broker.channel_close_failed"));
  }

  /**
   * Before the connection is closed: its closing would overtake acknowledgements that are still being written, a
   * channel's does not.
   */
  async close(): Promise<void> {
    this.#model = undefined;
    this.#closing.abort();
    const closed = [...this.#slots].map(async (slot) => {
      const channel = slot.channel;
      this.#lose(slot);
      await channel?.close();
    });
    await Promise.race([Promise.allSettled(closed), this.#clock.sleep(CLOSE_MS)]);
  }

  async #create(slot: Slot, model: ChannelModel): Promise<Channel> {
    const channel = await model.createChannel();
    settleTogether(channel);
    channel.on("error", (error) => this.#log.warn({ err: error }, "broker.consume_channel_closed"));
    channel.on("close", () => {
      for (const member of slot.members) member.lose(channel);
      if (slot.channel !== channel) return;
      slot.channel = undefined;
      if (this.#model === model) void this.#keepOpen(slot, model);
    });
    return channel;
  }

  async #open(slot: Slot, model: ChannelModel): Promise<void> {
    const channel = await this.#create(slot, model);
    // Somebody who joined meanwhile may have opened one: members have one channel at a time.
    if (slot.channel !== undefined) return channel.close();
    slot.channel = channel;
    for (const member of slot.members) member.attach(channel);
  }

  #lose(slot: Slot): void {
    const channel = slot.channel;
    slot.channel = undefined;
    if (channel !== undefined) for (const member of slot.members) member.lose(channel);
  }

  async #keepOpen(slot: Slot, model: ChannelModel): Promise<void> {
    const asideMs = slot.openFromMs - this.#clock.nowMs();
    if (asideMs > 0) await this.#clock.sleep(asideMs, this.#closing.signal).catch(() => undefined);
    for (let failures = 0; this.#model === model && this.#slots.has(slot); failures += 1) {
      if (slot.channel !== undefined) return;
      try {
        return await this.#open(slot, model);
      } catch (error) {
        this.#log.debug({ err: error }, "broker.reopen_failed");
        await this.#clock.sleep(Math.min(50 * 2 ** failures, LONGEST_BACKOFF_MS));
      }
    }
  }
}
