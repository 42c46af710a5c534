// Makes of a pack as many deliveries as it has parts, each with a verdict of its own.
import type { Worker } from "./mailbox-options.ts";
import { isPack, unpack } from "./pack.ts";
import { QUEUES } from "./topology.ts";
import type { WorkShop } from "./worker.ts";
import { settle } from "./worker.ts";

export function unpacking(shop: WorkShop, worker: Worker): Worker {
  return async (held) => {
    if (!isPack(held.raw, shop.queue)) return worker(held);
    const parts = unpack(held.raw);
    if (parts !== undefined) {
      const worked = await Promise.allSettled(held.split(parts).map(worker));
      for (const result of worked) if (result.status === "rejected") throw result.reason;
      return;
    }
    // As one letter: the dead letters have nowhere else to go.
    if (shop.queue === QUEUES.deadLetters) return worker(held);
    const { redelivered } = held.raw.fields;
    await settle(shop, held, { verdict: { kind: "park", reason: "not a valid pack" }, suspect: redelivered });
  };
}
