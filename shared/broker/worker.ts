// What happens to a delivery between the broker and a handler: read, handled, its consequences published and confirmed,
// acknowledged; or parked. The order is fixed: handle (the handler stores), publish, settle.
import type { Context } from "@opentelemetry/api";
import { context } from "@opentelemetry/api";
import type { Clock } from "#shared/clock.ts";
import { isRetriable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { MessagingTelemetry } from "#shared/telemetry/messaging.ts";
import { contextOf } from "#shared/telemetry/propagate.ts";
import type { Contracts, Delivery, Outgoing, Verdict } from "./actor.ts";
import { deadLetterOf } from "./dead-letter.ts";
import type { FaultGate } from "./fault-gate.ts";
import type { Held } from "./held.ts";
import type { Publisher } from "./publisher.ts";
import { readDelivery } from "./read-delivery.ts";
import { HEADERS } from "./properties.ts";
import { acknowledge, giveBack } from "./settle.ts";
import { QUEUES } from "./topology.ts";

/** A handler that throws what is no fault of a backing service is tried this often, then its message is parked. */
const MOST_TRIES = 3;
const BETWEEN_TRIES_MS = 50;
const STACK_LINES = 4;

export interface WorkShop {
  queue: string;
  publisher: Publisher;
  telemetry: MessagingTelemetry;
  gate: FaultGate;
  log: Log;
  clock: Clock;
  closing: AbortSignal;
}

/** A delivery that was read, on its way through a handler. */
export interface Job<M> {
  held: Held;
  delivery: Delivery<M>;
}

/** Undefined where the delivery was lost, or the service stops while it waits: nothing is settled then. */
export type Outcome = Verdict | undefined;

/** Reads a delivery. What its contracts refuse is parked; then there is nothing more to do. */
export async function take<M>(shop: WorkShop, held: Held, contracts: Contracts<M>): Promise<Job<M> | undefined> {
  shop.telemetry.countConsumed(shop.queue);
  const read = readDelivery(held.raw, shop.queue, contracts);
  if (read.ok) return { held, delivery: { ...read.delivery, isLost: () => held.isLost } };
  const { fields, properties } = held.raw;
  const told: unknown = properties.headers?.[HEADERS.traceparent];
  const parent = contextOf(typeof told === "string" ? told : undefined);
  await settle(shop, held, { verdict: { kind: "park", reason: read.reason }, suspect: fields.redelivered, parent });
  return undefined;
}

/** Calls the handler until it comes to a verdict. */
export async function attempt<M>(shop: WorkShop, job: Job<M>, call: (delivery: Delivery<M>) => Promise<Verdict>) {
  let delivery = job.delivery;
  for (let tries = 1; !job.held.isLost && !shop.closing.aborted;) {
    try {
      const verdict = await call(delivery);
      shop.gate.open();
      return verdict;
    } catch (error) {
      delivery = delivery.suspect ? delivery : { ...delivery, suspect: true };
      if (isFault(shop, error)) {
        await waitForService(shop, [job.held], error);
        continue;
      }
      shop.gate.open();
      if (tries === MOST_TRIES) return parkBug(shop, delivery, error);
      await shop.clock.sleep(BETWEEN_TRIES_MS * tries);
      tries += 1;
    }
  }
  return undefined;
}

/** The dead letters have nowhere else to go: whatever is thrown there is waited out. */
export function isFault(shop: WorkShop, error: unknown): boolean {
  return isRetriable(error) || shop.queue === QUEUES.deadLetters;
}

/**
 * What fails together waits together, for its service or for the mailbox to rest. Who has lost its deliveries waits for
 * nothing, and leaves no gate shut behind it: nobody would open that again.
 */
export async function waitForService(shop: WorkShop, failed: readonly Held[], error: unknown): Promise<void> {
  const held = failed.find(({ isLost }) => !isLost);
  if (held === undefined) return shop.gate.open();
  if (!shop.gate.isShut) shop.log.warn({ queue: shop.queue, err: error }, "mailbox.paused");
  shop.telemetry.countFault(shop.queue);
  await Promise.race([shop.gate.wait(), held.whenLost]);
  if (held.isLost) shop.gate.open();
  else if (shop.gate.isResting) for (const each of failed) giveBack(each);
}

function parkBug<M>(shop: WorkShop, delivery: Delivery<M>, error: unknown): Verdict {
  shop.log.error(
    { queue: shop.queue, type: delivery.type, messageId: delivery.properties.messageId, err: error },
    "mailbox.handler_failed",
  );
  return { kind: "park", reason: firstLines(error) };
}

/** What a dead letter tells of a bug. */
export function firstLines(error: unknown): string {
  if (!(error instanceof Error)) return `the handler threw ${typeof error}`;
  return (error.stack ?? error.message).split("\n").slice(0, STACK_LINES).join("\n");
}

export interface Settlement {
  verdict: Verdict;
  suspect: boolean;
  parent?: Context;
}

/** Publishes what follows, awaits the confirms, acknowledges. */
export async function settle(shop: WorkShop, held: Held, settlement: Settlement): Promise<void> {
  const { verdict, suspect, parent } = settlement;
  if (verdict.kind === "done" && verdict.after !== undefined) await Promise.race([verdict.after, held.whenLost]);
  if (held.isLost) return;
  const messages = verdict.kind === "done" ? verdict.publish : parked(shop, held, { verdict, parent });
  if (messages.length > 0) {
    try {
      await held.publishing(shop.publisher.publish(messages, { suspect, ...(parent === undefined ? {} : { parent }) }));
    } catch (error) {
      return settleUnpublishable(shop, held, { settlement, error });
    }
  }
  acknowledge(held);
}

interface Parking {
  verdict: Extract<Verdict, { kind: "park" }>;
  parent?: Context | undefined;
}

/** Logged with the ids of the message's own trace. */
function parked(shop: WorkShop, held: Held, { verdict, parent }: Parking): readonly Outgoing[] {
  const facts = { queue: shop.queue, reason: verdict.reason };
  shop.telemetry.countParked(shop.queue);
  context.with(parent ?? context.active(), () => shop.log.error(facts, "mailbox.parked"));
  return [...(verdict.publish ?? []), deadLetterOf(held.raw, shop.queue, verdict.reason)];
}

/** What can't be published is a bug of the handler; a service that stops leaves the message to its queue. */
async function settleUnpublishable(
  shop: WorkShop,
  held: Held,
  failed: { settlement: Settlement; error: unknown },
): Promise<void> {
  const { settlement, error } = failed;
  if (isRetriable(error) || shop.closing.aborted) return;
  if (settlement.verdict.kind === "park" && settlement.verdict.publish === undefined) throw error;
  const { parent = context.active() } = settlement;
  context.with(parent, () => shop.log.error({ queue: shop.queue, err: error }, "mailbox.publish_failed"));
  await settle(shop, held, { suspect: true, parent, verdict: { kind: "park", reason: firstLines(error) } });
}
