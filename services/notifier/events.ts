// One tracking point: recorded together with others, then held for its batch; done once that batch is confirmed.
import { z } from "zod";
import type { Delivery, Verdict } from "#shared/broker/actor.ts";
import type { EventMessage } from "#shared/contracts/event.ts";
import { eventRecordSchema } from "#shared/contracts/event.ts";
import type { Collector } from "./collector.ts";
import type { Mark } from "./mark.ts";
import type { RecordedEvent } from "./record.ts";

const RECORD_HEADER = "waypost-record";

const recordHeaderSchema = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue("JSON");
      return z.NEVER;
    }
  })
  .pipe(eventRecordSchema);

export interface EventsOptions {
  collector: Collector;
  /** Resolves once the event is in the record, written with others; answers whether it is to be notified. */
  recorded(event: RecordedEvent): Promise<boolean>;
  mark: Mark;
  hasEndpoint(event: RecordedEvent): boolean;
}

/** The handler of notifier.events. */
export function createEventHandler(options: EventsOptions): (delivery: Delivery<EventMessage>) => Promise<Verdict> {
  return async ({ message, headers, suspect }) => {
    const record = recordHeaderSchema.safeParse(headers[RECORD_HEADER]);
    if (!record.success) return { kind: "park", reason: "a tracking point without what its record needs" };
    const event = { body: message, record: record.data };
    // Asked for before and after: between the two the record may have marked it as one whose end is told.
    const hadEndpoint = options.hasEndpoint(event);
    options.mark.begin(event);
    const isOnRecord = await options.recorded(event);
    options.mark.end(event);
    if (isOnRecord && (hadEndpoint || options.hasEndpoint(event))) await options.collector.add(event, suspect);
    return { kind: "done", publish: [] };
  };
}
