// A delivery that this process holds: begun or waiting to be, not yet settled.
import type { Channel, ConsumeMessage } from "amqplib";
import type { PublishJob } from "./publish-job.ts";

export class Held {
  readonly raw: ConsumeMessage;
  readonly channel: Channel;
  #isLost = false;
  #job: PublishJob | undefined;
  readonly #lost = Promise.withResolvers<void>();

  constructor(raw: ConsumeMessage, channel: Channel) {
    this.raw = raw;
    this.channel = channel;
  }

  /** Its channel is gone: the broker gives it to somebody again, and it can't be settled here any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  get whenLost(): Promise<void> {
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
    this.#lost.resolve();
  }
}
