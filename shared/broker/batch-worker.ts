// Handles deliveries in batches: up to so many, or after so long; while one batch is handled the next gathers.
// A batch that a bug of the handler breaks is handled message by message, so that only the culprit is parked.
import type { Context } from "@opentelemetry/api";
import { context } from "@opentelemetry/api";
import type { BatchActor, Delivery, Verdict } from "./actor.ts";
import type { Worker } from "./mailbox-options.ts";
import type { Job, Outcome, WorkShop } from "./worker.ts";
import { attempt, isFault, settle, take, waitForService } from "./worker.ts";

interface Item<M> extends Job<M> {
  load: number;
  settled: PromiseWithResolvers<void>;
}

export function createBatchWorker<M>(shop: WorkShop, actor: BatchActor<M>): Worker {
  const batches = new Batches(shop, actor);
  return async (held) => {
    const job = await take(shop, held, actor.contracts);
    if (job !== undefined) await batches.add(job);
  };
}

interface Settling<M> {
  item: Item<M>;
  /** It waits for something of its own, for however long: the others of its batch keep no place meanwhile. */
  isLate: boolean;
  end: Promise<void>;
}

const isLate = (outcome: Outcome): boolean => outcome?.kind === "done" && outcome.after !== undefined;

class Batches<M> {
  readonly #shop: WorkShop;
  readonly #actor: BatchActor<M>;
  #gathered: Item<M>[] = [];
  #isRunning = false;
  #linger: NodeJS.Timeout | undefined;
  #isDue = false;
  #begunMs = 0;
  #lastCount = 0;
  /** Of the batches begun and not yet settled. */
  #load = 0;

  constructor(shop: WorkShop, actor: BatchActor<M>) {
    this.#shop = shop;
    this.#actor = actor;
  }

  /** Resolves when the delivery is settled; rejects where it could not be. */
  add(job: Job<M>): Promise<void> {
    const settled = Promise.withResolvers<void>();
    const load = this.#actor.batch.load?.of(job.delivery.message) ?? 0;
    this.#gathered.push({ ...job, load, settled });
    this.#schedule();
    return settled.promise;
  }

  get #room(): number {
    const { load } = this.#actor.batch;
    return load === undefined ? Infinity : load.most - this.#load;
  }

  #schedule(): void {
    if (this.#isRunning || this.#gathered.length === 0 || this.#room <= 0) return;
    if (this.#gathered.length >= this.#actor.batch.max) return void this.#run();
    if (this.#isDue || this.#linger !== undefined) return;
    const waitMs = this.#waitMs();
    if (waitMs > 0) this.#linger = setTimeout(() => void this.#run(), waitMs);
    else this.#runThisTurn();
  }

  /** A timer would take a millisecond: what comes in one turn of the event loop goes together, and nothing waits longer. */
  #runThisTurn(): void {
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (!this.#isRunning && this.#gathered.length > 0) void this.#run();
    });
  }

  /** Who was alone in the last batch was not kept waiting by a busy mailbox: neither is the next. */
  #waitMs(): number {
    const { lingerMs, everyMs = 0 } = this.#actor.batch;
    const sinceMs = this.#shop.clock.nowMs() - this.#begunMs;
    const isBusy = sinceMs >= 0 && this.#lastCount > 1;
    return Math.max(lingerMs, isBusy ? everyMs - sinceMs : 0);
  }

  async #run(): Promise<void> {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    this.#isRunning = true;
    this.#begunMs = this.#shop.clock.nowMs();
    const items = this.#next();
    this.#lastCount = items.length;
    const alive = items.filter((item) => !item.held.isLost);
    for (const item of items) if (item.held.isLost) this.#finish(item);
    if (alive.length > 0) await this.#handle(alive);
    this.#isRunning = false;
    this.#schedule();
  }

  /** As many as there is room for; one that is larger than that goes alone. */
  #next(): Item<M>[] {
    let room = this.#room;
    let count = 0;
    for (const { load } of this.#gathered.slice(0, this.#actor.batch.max)) {
      if (count > 0 && load > room) break;
      room -= load;
      count += 1;
    }
    const items = this.#gathered.splice(0, count);
    for (const { load } of items) this.#load += load;
    return items;
  }

  #finish(item: Item<M>): void {
    this.#load -= item.load;
    item.settled.resolve();
  }

  /** The next batch is handled while the consequences of this one are being confirmed. */
  async #handle(items: readonly Item<M>[]): Promise<void> {
    const { telemetry } = this.#shop;
    const consumed = telemetry.startConsumeBatch(items);
    const outcomes = await context.with(consumed.context, () => this.#verdicts(items, consumed.parents));
    const settling = items.map((item, index): Settling<M> => {
      const outcome = outcomes[index];
      return { item, isLate: isLate(outcome), end: this.#settle(item, outcome, consumed.parents[index]) };
    });
    void this.#finishTogether(settling.filter((each) => !each.isLate));
    for (const late of settling.filter((each) => each.isLate)) void this.#finishTogether([late]);
    void Promise.all(settling.map(({ end }) => end)).then(() => telemetry.endConsumeBatch(consumed, outcomes));
  }

  /** Never rejects: whoever gave the item is told. */
  async #settle({ held, delivery, settled }: Item<M>, verdict: Outcome, parent: Context | undefined): Promise<void> {
    if (verdict === undefined) return;
    const { suspect } = delivery;
    try {
      await settle(this.#shop, held, { verdict, suspect, ...(parent === undefined ? {} : { parent }) });
    } catch (error) {
      settled.reject(error);
    }
  }

  async #finishTogether(settling: readonly Settling<M>[]): Promise<void> {
    await Promise.all(settling.map(({ end }) => end));
    for (const { item } of settling) this.#finish(item);
    this.#schedule();
  }

  async #verdicts(items: readonly Item<M>[], parents: readonly Context[]): Promise<readonly Outcome[]> {
    let deliveries: readonly Delivery<M>[] = items.map((item) => item.delivery);
    for (;;) {
      if (this.#shop.closing.aborted || items.every((item) => item.held.isLost)) return [];
      try {
        const verdicts = await this.#actor.handleBatch(deliveries);
        if (verdicts.length !== deliveries.length) throw new Error("a batch has as many verdicts as deliveries");
        this.#shop.gate.open();
        return verdicts;
      } catch (error) {
        deliveries = deliveries.map((delivery) => ({ ...delivery, suspect: true }));
        if (!isFault(this.#shop, error)) return this.#oneByOne(items, deliveries, parents);
        await waitForService(
          this.#shop,
          items.map(({ held }) => held),
          error,
        );
      }
    }
  }

  async #oneByOne(
    items: readonly Item<M>[],
    deliveries: readonly Delivery<M>[],
    parents: readonly Context[],
  ): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const [index, item] of items.entries()) {
      const job = { held: item.held, delivery: deliveries[index] ?? item.delivery };
      const handle = (): Promise<Outcome> => attempt(this.#shop, job, (delivery) => this.#alone(delivery));
      outcomes.push(await context.with(parents[index] ?? context.active(), handle));
    }
    return outcomes;
  }

  async #alone(delivery: Delivery<M>): Promise<Verdict> {
    const [verdict] = await this.#actor.handleBatch([delivery]);
    if (verdict === undefined) throw new Error("a batch has as many verdicts as deliveries");
    return verdict;
  }
}
