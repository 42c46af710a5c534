// Asks whether this process has a database, from its start to its end. The driver connects with the first question.
import type { Broker } from "#shared/broker/actor.ts";
import type { Clock } from "#shared/clock.ts";
import type { Store } from "#shared/store/connection.ts";

const ASK_AGAIN_MS = 1_000;
/** Whatever has waited for a database for so long goes to another replica, which may have one. An election of another primary takes less. */
export const REST_AFTER_MS = 15_000;

export interface RestPorts {
  store: Pick<Store, "ping">;
  broker: Pick<Broker, "rest">;
  clock: Pick<Clock, "nowMs" | "sleep">;
  isOver: () => boolean;
}

/** Without a database it would keep what it has in hand, and the broker would give it more, while other replicas have nothing to do. */
export async function restWithoutStore({ store, broker, clock, isOver }: RestPorts): Promise<void> {
  let answeredMs = clock.nowMs();
  while (!isOver()) {
    const isThere = await store.ping().then(
      () => true,
      () => false,
    );
    if (isThere) answeredMs = clock.nowMs();
    if (!isOver()) broker.rest(clock.nowMs() - answeredMs > REST_AFTER_MS);
    await clock.sleep(ASK_AGAIN_MS);
  }
}
