// The confirm channel that is published on. One that the broker closes (an exchange is missing) is opened again, once
// everything is declared again.
import type { ChannelModel, ConfirmChannel, Message } from "amqplib";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { Declarer } from "./declarer.ts";

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 3_000;
/** A channel that was open for so long was not closed for what is published again on the next. */
const SOUND_MS = 10_000;

export interface PublishChannelOptions {
  log: Log;
  clock: Clock;
  declarer: Declarer;
  onOpen: () => void;
  onReturn: (message: Message) => void;
}

export class PublishChannel {
  readonly #options: PublishChannelOptions;
  #model: ChannelModel | undefined;
  #channel: ConfirmChannel | undefined;
  #openedMs = 0;
  #failures = 0;

  constructor(options: PublishChannelOptions) {
    this.#options = options;
  }

  /** Undefined while there is none to publish on. */
  get current(): ConfirmChannel | undefined {
    return this.#channel;
  }

  async attach(model: ChannelModel): Promise<void> {
    this.#model = model;
    await this.#open(model);
  }

  detach(): void {
    this.#model = undefined;
    this.#channel = undefined;
  }

  /** It turned out to be closed before it said so. */
  lose(channel: ConfirmChannel): void {
    if (this.#channel === channel) this.#channel = undefined;
  }

  async #open(model: ChannelModel): Promise<void> {
    const { log, onReturn, onOpen } = this.#options;
    const channel = await model.createConfirmChannel();
    channel.on("error", (error) => log.warn({ err: error }, "broker.publish_channel_closed"));
    channel.on("return", onReturn);
    // Before amqplib fails what is unconfirmed: that is lost with the channel, and not refused.
    channel.prependListener("close", () => {
      this.lose(channel);
      if (this.#model === model) void this.#reopen(model);
    });
    this.#channel = channel;
    this.#openedMs = this.#options.clock.nowMs();
    onOpen();
  }

  /**
   * At once, but more and more slowly where the broker closes it for the same again: each time what was published beside that
   * loses its confirm, and is published once more.
   */
  async #reopen(model: ChannelModel): Promise<void> {
    const { clock, declarer, log } = this.#options;
    if (clock.nowMs() - this.#openedMs > SOUND_MS) this.#failures = 0;
    while (this.#model === model && this.#channel === undefined) {
      if (this.#failures > 0) await clock.sleep(Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), LONGEST_WAIT_MS));
      if (this.#model !== model) return;
      this.#failures += 1;
      try {
        await declarer.restoreTopology();
        await this.#open(model);
      } catch (error) {
        log.debug({ err: error }, "broker.reopen_failed");
      }
    }
  }
}
