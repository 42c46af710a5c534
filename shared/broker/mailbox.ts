// One mailbox being consumed: how many messages it takes, which of them are begun, and which go back. It follows what is
// wanted (prefetch, pause, bytes) whatever happens to channel and queue; what is done with a delivery is its worker's.
import type { Channel, ConsumeMessage } from "amqplib";
import type { Consumption } from "./actor.ts";
import type { Member } from "./consumer-channels.ts";
import { Held } from "./held.ts";
import { Holding } from "./holding.ts";
import type { MailboxOptions } from "./mailbox-options.ts";
import { weightOf } from "./pack.ts";
import { handBack } from "./settle.ts";

const RETRY_MS = 500;
/** A consumer that gets nothing for this long may be one that the broker has forgotten. */
const SILENT_MS = 10_000;
const PRIORITIES = 2 ** 31;
/** No prefetch is wanted: the consumer is replaced by another, and what it delivered counts for neither. */
const SPENT = -1;
/** Messages that each mailbox may hold however much others do: they may be let wait for as long as a relay likes. */
const LEAST_HELD = 2;

export class Mailbox implements Consumption, Member {
  readonly #options: MailboxOptions;
  /** Drawn, so that the broker fills one replica before the next: what comes in larger groups costs everybody less. */
  readonly #priority: number;
  readonly #held: Holding;
  #unbegun: Held[] = [];
  #inHand = 0;
  #prefetch: number;
  #isPaused: boolean;
  #isCancelled = false;
  #isThrottled = false;
  #isDeclared: boolean;
  #wasConsumed = false;
  #lastHeardMs = 0;
  #channel: Channel | undefined;
  /** What may still deliver: the channel, and those that it came from and that are not yet closed. */
  readonly #open = new Set<Channel>();
  #consumer: { tag: string; prefetch: number; channel: Channel } | undefined;
  #asked: { channel: Channel; atMs: number } | undefined;
  #reconciling: Promise<void> | undefined;
  #idle: (() => void)[] = [];
  readonly #onRelief = (): void => {
    this.#isThrottled = false;
    this.#begin();
    void this.#reconcile();
  };

  constructor(options: MailboxOptions) {
    this.#options = options;
    this.#held = new Holding(options.budget);
    this.#priority = Math.floor(options.clock.random() * PRIORITIES);
    this.#prefetch = options.prefetch;
    this.#isPaused = options.isLane;
    this.#isDeclared = !options.isLane;
  }

  get queue(): string {
    return this.#options.queue;
  }

  get inHand(): number {
    return this.#inHand;
  }

  get isConsuming(): boolean {
    return this.#consumer !== undefined;
  }

  /** Consumes, holds nothing, and has heard nothing for a while. */
  get isSilent(): boolean {
    const silentMs = this.#options.clock.nowMs() - this.#lastHeardMs;
    return this.isConsuming && this.#held.size === 0 && silentMs > SILENT_MS;
  }

  holds(channel: Channel): boolean {
    return this.#held.has(channel);
  }

  askedMs(channel: Channel): number | undefined {
    return this.#asked?.channel === channel ? this.#asked.atMs : undefined;
  }

  attach(channel: Channel): void {
    this.#channel = channel;
    this.#open.add(channel);
    void this.#reconcile();
  }

  /** What was delivered on the channel before is settled there. Resolves when nothing more is delivered there. */
  async move(channel: Channel): Promise<void> {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    this.attach(channel);
    if (consumer !== undefined) await consumer.channel.cancel(consumer.tag);
    if (this.#isHeld) this.#handBackUnbegun();
  }

  lose(channel: Channel): void {
    this.#open.delete(channel);
    this.#unbegun = this.#unbegun.filter((held) => held.channel !== channel);
    this.#held.lose(channel);
    if (this.#consumer?.channel === channel) this.#consumer = undefined;
    if (this.#channel !== channel) {
      if (this.#isThrottled) void this.#reconcile();
      return;
    }
    this.#channel = undefined;
    this.#isDeclared = !this.#options.isLane;
    this.#options.gate.open();
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#adapt();
  }

  async resume(prefetch: number): Promise<void> {
    this.#prefetch = prefetch;
    this.#isPaused = false;
    await this.#adapt();
  }

  /** Gives back what waits for a backing service and takes nothing, or takes again. */
  async rest(isResting: boolean): Promise<void> {
    this.#options.gate.rest(isResting);
    await this.#adapt();
  }

  async refill(): Promise<void> {
    if (this.#consumer === undefined) return;
    this.#consumer = { ...this.#consumer, prefetch: SPENT };
    await this.#reconcile();
  }

  /** As `pause`, and no `resume` undoes it. */
  async stopTaking(): Promise<void> {
    this.#isCancelled = true;
    await this.pause();
  }

  async cancel(): Promise<void> {
    await this.stopTaking();
    await this.whenIdle();
    this.#options.budget.forget(this.#onRelief);
    this.#options.leave();
  }

  /** Resolves when nothing is in hand. */
  whenIdle(): Promise<void> {
    if (this.#inHand === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  get #wanted(): number {
    if (this.#isHeld) return 0;
    if (!this.#isThrottled) return this.#prefetch;
    const least = Math.min(LEAST_HELD, this.#prefetch);
    return this.#held.size < LEAST_HELD || this.#consumer?.prefetch === least ? least : 0;
  }

  /** Nothing is begun; what still comes goes back when the broker has stopped giving out. */
  get #isHeld(): boolean {
    return this.#isPaused || this.#isCancelled || this.#options.gate.isResting;
  }

  async #adapt(): Promise<void> {
    this.#begin();
    await this.#reconcile();
    if (this.#isHeld) this.#handBackUnbegun();
  }

  /** Brings the broker's consumer to what is wanted; one run at a time. */
  async #reconcile(): Promise<void> {
    do {
      this.#reconciling ??= this.#follow().finally(() => {
        this.#reconciling = undefined;
      });
      await this.#reconciling;
    } while (!this.#isAsWanted);
  }

  get #isAsWanted(): boolean {
    return this.#channel === undefined || (this.#consumer?.prefetch ?? 0) === this.#wanted;
  }

  async #follow(): Promise<void> {
    for (;;) {
      const channel = this.#channel;
      if (channel === undefined || this.#isAsWanted) return;
      try {
        if (this.#consumer === undefined) await this.#consume(channel);
        else await this.#stopConsuming(this.#consumer);
      } catch (error) {
        this.#isDeclared = false;
        if (this.#channel !== channel) continue;
        this.#options.log.warn({ queue: this.queue, err: error }, "broker.consume_failed");
        await this.#options.clock.sleep(RETRY_MS);
      }
    }
  }

  async #consume(channel: Channel): Promise<void> {
    if (!this.#isDeclared) await this.#options.declare(this.#wasConsumed);
    this.#isDeclared = true;
    const prefetch = this.#wanted;
    if (this.#channel !== channel || prefetch === 0) return;
    this.#asked = { channel, atMs: this.#options.clock.nowMs() };
    // Both go out in this order before anybody else's: the prefetch counts for the consumers that follow it.
    const [, consumer] = await Promise.all([
      channel.prefetch(prefetch),
      channel.consume(this.queue, (message) => this.#onMessage(message, channel), { priority: this.#priority }),
    ]).finally(() => void (this.#asked = undefined));
    this.#wasConsumed = true;
    this.#lastHeardMs = this.#options.clock.nowMs();
    if (this.#channel === channel) this.#consumer = { tag: consumer.consumerTag, prefetch, channel };
    else if (this.#open.has(channel)) await channel.cancel(consumer.consumerTag);
  }

  async #stopConsuming({ channel, tag }: { channel: Channel; tag: string }): Promise<void> {
    await channel.cancel(tag);
    if (this.#consumer?.tag === tag) this.#consumer = undefined;
    if (this.#isThrottled) this.#handBackUnbegun();
  }

  #onMessage(message: ConsumeMessage | null, channel: Channel): void {
    if (message === null) return this.#onCancelledByBroker(channel);
    const held = new Held(message, channel);
    if (!this.#open.has(channel)) return;
    this.#lastHeardMs = this.#options.clock.nowMs();
    this.#held.add(held);
    this.#unbegun.push(held);
    this.#begin();
    if (!this.#options.budget.isOver || this.#isThrottled) return;
    this.#isThrottled = true;
    this.#options.budget.whenRelieved(this.#onRelief);
    void this.#reconcile();
  }

  /** The queue was deleted, or its leader is gone: declared and consumed again. */
  #onCancelledByBroker(channel: Channel): void {
    if (this.#channel !== channel) return;
    this.#consumer = undefined;
    this.#isDeclared = false;
    this.#options.log.warn({ queue: this.queue }, "broker.consumer_cancelled");
    void this.#options.clock.sleep(RETRY_MS).then(() => this.#reconcile());
  }

  #begin(): void {
    const { budget, gate } = this.#options;
    // A lane that comes back probes beside what its former consumer still has in hand: its own gate bounds it.
    const hasRoom = (): boolean => this.#options.isLane || this.#inHand < (this.#options.mostInHand ?? this.#prefetch);
    while (this.#unbegun.length > 0 && hasRoom() && !gate.isShut && !this.#isHeld) {
      if (budget.isOver && this.#held.size - this.#unbegun.length >= LEAST_HELD) return;
      const held = this.#unbegun.shift();
      if (held !== undefined) void this.#work(held);
    }
  }

  /** What could not even be parked goes back after a while: kept in hand it would take a place for ever. */
  async #work(held: Held): Promise<void> {
    const weight = weightOf(held.raw, this.queue);
    this.#inHand += weight;
    try {
      await this.#options.worker(held);
    } catch (error) {
      this.#options.log.error({ queue: this.queue, err: error }, "broker.worker_failed");
      await this.#options.clock.sleep(RETRY_MS);
      handBack(held);
    }
    this.#inHand -= weight;
    this.#held.letGo(held);
    this.#begin();
    if (this.#isThrottled) void this.#reconcile();
    if (this.#inHand === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #handBackUnbegun(): void {
    for (const held of this.#unbegun.splice(0)) {
      handBack(held);
      this.#held.letGo(held);
    }
  }
}
