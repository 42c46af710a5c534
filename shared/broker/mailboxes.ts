// All mailboxes that a process consumes: each with its worker, its gate and its place on a channel.
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { MessagingTelemetry } from "#shared/telemetry/messaging.ts";
import type { BatchActor, SingleActor } from "./actor.ts";
import { createBatchWorker } from "./batch-worker.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { ConsumerChannels } from "./consumer-channels.ts";
import type { Declarer } from "./declarer.ts";
import { FaultGate } from "./fault-gate.ts";
import { Mailbox } from "./mailbox.ts";
import type { Publisher } from "./publisher.ts";
import { createSingleWorker } from "./single-worker.ts";
import { unpacking } from "./unpacking-worker.ts";
import type { QueueSpec } from "./topology.ts";
import { destinationTemplate } from "./topology.ts";
import type { WorkShop } from "./worker.ts";

export interface MailboxesOptions {
  publisher: Publisher;
  telemetry: MessagingTelemetry;
  declarer: Declarer;
  channels: ConsumerChannels;
  budget: ByteBudget;
  closing: AbortSignal;
  log: Log;
  clock: Clock;
}

export class Mailboxes {
  readonly #options: MailboxesOptions;
  /** With its spec where it is a lane's: nobody else declares it. */
  readonly #specs = new Map<Mailbox, QueueSpec | undefined>();
  #isResting = false;

  constructor(options: MailboxesOptions) {
    this.#options = options;
  }

  start<M>(actor: SingleActor<M> | BatchActor<M>, spec?: QueueSpec): Mailbox {
    const { publisher, telemetry, declarer, channels, budget, closing, log, clock } = this.#options;
    const queue = actor.mailbox;
    const gate = new FaultGate(clock, closing);
    const shop: WorkShop = { queue, publisher, telemetry, gate, log, clock, closing };
    const mailbox: Mailbox = new Mailbox({
      queue,
      prefetch: actor.prefetch,
      mostInHand: actor.mostInHand,
      isLane: spec !== undefined,
      worker: unpacking(
        shop,
        "handleBatch" in actor ? createBatchWorker(shop, actor) : createSingleWorker(shop, actor),
      ),
      gate,
      budget,
      log,
      clock,
      declare: (wasThere) => {
        if (spec === undefined) return declarer.restoreTopology();
        return wasThere ? declarer.restore([spec]) : declarer.declare([spec]);
      },
      leave: () => {
        channels.leave(mailbox);
        this.#specs.delete(mailbox);
      },
    });
    this.#specs.set(mailbox, spec);
    if (this.#isResting) void mailbox.rest(true);
    channels.join(mailbox, { shared: spec !== undefined });
    return mailbox;
  }

  /** Lanes that are not consumed: the broker would not tell that their mailboxes are gone. */
  unconsumed(): QueueSpec[] {
    return [...this.#specs].flatMap(([mailbox, spec]) => (mailbox.isConsuming ? [] : (spec ?? [])));
  }

  /** The queue was deleted and is back: its consumer may be one that the broker has forgotten. */
  async recreated(queue: string): Promise<void> {
    for (const mailbox of this.#specs.keys()) if (mailbox.queue === queue) await this.#renew(mailbox);
  }

  /**
   * Nobody tells of a queue that somebody else deleted and declared, and a forgotten consumer looks alive. Anew is cheap
   * where nothing comes, but for lanes: there may be thousands, and only the runtime declares them.
   */
  async renewSilent(): Promise<void> {
    for (const [mailbox, spec] of this.#specs) if (spec === undefined && mailbox.isSilent) await this.#renew(mailbox);
  }

  async #renew(mailbox: Mailbox): Promise<void> {
    const { channels, log } = this.#options;
    await channels.renew(mailbox).catch((error: unknown) => {
      log.warn({ queue: mailbox.queue, err: error }, "broker.renew_failed");
    });
  }

  /** Messages in hand by the template of their mailbox. */
  inHand(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const mailbox of this.#specs.keys()) {
      const template = destinationTemplate(mailbox.queue);
      counts.set(template, (counts.get(template) ?? 0) + mailbox.inHand);
    }
    return counts;
  }

  rest(isResting: boolean): void {
    if (this.#isResting === isResting) return;
    this.#isResting = isResting;
    this.#options.log.warn({ mailboxes: this.#specs.size }, isResting ? "broker.resting" : "broker.taking_again");
    for (const mailbox of this.#specs.keys()) void mailbox.rest(isResting);
  }

  async stopTaking(): Promise<void> {
    await Promise.all([...this.#specs.keys()].map((mailbox) => mailbox.stopTaking()));
  }

  /** Resolves when nothing is in hand. */
  async whenIdle(): Promise<void> {
    await Promise.all([...this.#specs.keys()].map((mailbox) => mailbox.whenIdle()));
  }
}
