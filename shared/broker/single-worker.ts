// Handles deliveries one by one, as many at once as the mailbox begins.
import { context } from "@opentelemetry/api";
import type { SingleActor } from "./actor.ts";
import type { Worker } from "./mailbox-options.ts";
import type { WorkShop } from "./worker.ts";
import { attempt, settle, take } from "./worker.ts";

export function createSingleWorker<M>(shop: WorkShop, actor: SingleActor<M>): Worker {
  return async (held) => {
    const job = await take(shop, held, actor.contracts);
    if (job === undefined) return;
    const consumed = shop.telemetry.startConsume(job);
    const verdict = await context.with(consumed.context, () =>
      attempt(shop, job, (delivery) => actor.handle(delivery)),
    );
    if (verdict !== undefined) {
      await settle(shop, held, { verdict, suspect: job.delivery.suspect, parent: consumed.context });
    }
    shop.telemetry.endConsume(consumed, verdict);
  };
}
