// What is left out at last (design, Rule 2): what nobody need be there for, and what a queue of somebody else's refuses. One that
// is full does so for ever, and nobody is to wait for that.
import { LRUCache } from "lru-cache";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { Outgoing } from "./actor.ts";
import type { Entry } from "./publish-job.ts";

const MOST_REFUSALS = 3;
/**
 * A transient message is sent no oftener: an application chooses where its reply goes, and a direct reply-to that names nobody
 * breaks the connection to RabbitMQ 3.10, for all that is published over it.
 */
const MOST_TRANSIENT_SENDS = 3;
/** A full queue refuses every tracking point. */
const SAY_EVERY_MS = 10_000;
/** Applications name the queues that replies go to. */
const MOST_TARGETS = 100;

export function isSentOften({ message, failures }: Pick<Entry, "message" | "failures">): boolean {
  return message.transient === true && failures >= MOST_TRANSIENT_SENDS;
}

/** A reply, or a tracking point for whoever has bound a queue: nobody need be there for it. */
export function isForOthers({ transient, mayBeUnrouted }: Pick<Outgoing, "transient" | "mayBeUnrouted">): boolean {
  return transient === true || mayBeUnrouted === true;
}

/** What follows from refusals: once more the same, nothing, or another message in its place. */
export function afterRefusals({
  message,
  refusals,
}: Pick<Entry, "message" | "refusals">): "again" | "let-go" | Outgoing {
  const { mayBeUnrouted: _mayBe, ownQueue, ...others } = message;
  if (refusals < MOST_REFUSALS || !isForOthers(message)) return "again";
  // To one queue of ours in place of an exchange; published until it is there.
  return ownQueue === undefined ? "let-go" : { ...others, exchange: "", routingKey: ownQueue };
}

/** Says where something was left out, now and then for each exchange, or queue that a reply was for. */
export function createLetGoLog(clock: Clock, log: Log): (message: Outgoing) => void {
  const saidMs = new LRUCache<string, number>({ max: MOST_TARGETS });
  return ({ exchange, routingKey }) => {
    const target = exchange === "" ? `queue ${routingKey}` : `exchange ${exchange}`;
    const now = clock.nowMs();
    if (now - (saidMs.get(target) ?? -Infinity) < SAY_EVERY_MS) return;
    saidMs.set(target, now);
    log.warn({ exchange, routingKey }, "broker.refused");
  };
}
