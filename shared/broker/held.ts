// A delivery that this process holds: begun or waiting to be, not yet settled.
import type { Channel, ConsumeMessage } from "amqplib";
import type { PublishJob } from "./publish-job.ts";

export class Held {
  readonly raw: ConsumeMessage;
  readonly channel: Channel;
  /** The message that this is a part of. */
  readonly #whole: Held | undefined;
  /** The parts of this message that are not settled yet. */
  #parts: Set<Held> | undefined;
  #isLost = false;
  #job: PublishJob | undefined;
  #lost: PromiseWithResolvers<void> | undefined;

  constructor(raw: ConsumeMessage, channel: Channel, whole?: Held) {
    this.raw = raw;
    this.channel = channel;
    this.#whole = whole;
    if (whole !== undefined) this.#isLost = whole.isLost;
  }

  get whole(): Held {
    return this.#whole ?? this;
  }

  /** Its parts as deliveries of their own; the message is settled with the last of them. */
  split(raws: readonly ConsumeMessage[]): Held[] {
    const parts = raws.map((raw) => new Held(raw, this.channel, this));
    this.#parts = new Set(parts);
    return parts;
  }

  /** Answers the message that may be acknowledged now: none while another part of it is in hand. */
  settle(): ConsumeMessage | undefined {
    if (this.#whole === undefined) return this.raw;
    const parts = this.#whole.#parts;
    return parts?.delete(this) === true && parts.size === 0 ? this.#whole.raw : undefined;
  }

  /** Its channel is gone: the broker gives it to somebody again, and it can't be settled here any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  get whenLost(): Promise<void> {
    this.#lost ??= Promise.withResolvers<void>();
    if (this.#isLost) this.#lost.resolve();
    return this.#lost.promise;
  }

  /** What is being published for it; given up when the delivery is lost. */
  publishing(job: PublishJob): Promise<void> {
    this.#job = job;
    if (this.#isLost) job.abandon();
    return job.promise;
  }

  lose(): void {
    this.#isLost = true;
    this.#job?.abandon();
    this.#lost?.resolve();
    for (const part of this.#parts ?? []) part.lose();
  }
}
