// The actor of hard bounces: what a tracking point says of its recipient goes on the account's suppression list.
import type { BatchActor, Delivery, Verdict } from "#shared/broker/actor.ts";
import { QUEUES } from "#shared/broker/topology.ts";
import type { EventMessage } from "#shared/contracts/event.ts";
import { eventMessageSchema, eventRecordSchema } from "#shared/contracts/event.ts";
import type { EventRecord } from "#shared/contracts/event.ts";
import type { Clock } from "#shared/clock.ts";
import { reasonOf } from "#shared/email/smtp-content.ts";
import type { Log } from "#shared/log.ts";
import type { BounceListing, Suppressions } from "#shared/store/suppressions.ts";
import { suppressionTermOf } from "./suppression-term.ts";

export interface BouncePorts {
  suppressions: Suppressions;
  clock: Clock;
  log: Log;
}

const RECORD_HEADER = "waypost-record";

export function createBouncesActor(ports: BouncePorts): BatchActor<EventMessage> {
  return {
    mailbox: QUEUES.bounces,
    contracts: { event: eventMessageSchema },
    prefetch: 200,
    batch: { max: 200, lingerMs: 5 },
    handleBatch: async (deliveries) => {
      const listings = deliveries.flatMap((delivery) => listingFrom(delivery) ?? []);
      await ports.suppressions.listBounces(listings, ports.clock.now());
      if (listings.length > 0) ports.log.info({ entries: listings.length }, "suppressions.listed");
      return deliveries.map((): Verdict => ({ kind: "done", publish: [] }));
    },
  };
}

function listingFrom(delivery: Delivery<EventMessage>): BounceListing | undefined {
  const header = delivery.headers[RECORD_HEADER];
  if (typeof header !== "string") return undefined;
  const record = eventRecordSchema.safeParse(JSON.parse(header));
  return record.success ? listingOf(delivery.message, record.data) : undefined;
}

/** What a tracking point does to the suppression list; undefined where it says nothing of the recipient. */
export function listingOf({ meta, notification }: EventMessage, record: EventRecord): BounceListing | undefined {
  const { event } = notification.meta;
  const { attempt } = record;
  if (event.type !== "BOUNCED" || event.subType !== "HARD_BOUNCE" || attempt === undefined) return undefined;
  const termMs = suppressionTermOf(attempt);
  if (termMs === undefined) return undefined;
  const reason = `[${attempt.result.enhancedStatus}] ${reasonOf(attempt.result, "bounced")}`;
  return { account: meta.account, email: record.recipient, termMs, bounce: { ts: event.ts, reason } };
}
