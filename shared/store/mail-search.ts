// A search of the record (operator contract, GET /v1/mails) as a filter that one of the indexes of mails.ts serves.
import type { Filter } from "mongodb";
import { isValidAddress, parseMailbox } from "#shared/email/address.ts";
import { comparableAddress } from "#shared/email/comparable-address.ts";
import { toALabels } from "#shared/email/domain-name.ts";
import { decodeMoment, encodeCursor, positionOfMoment } from "./documents.ts";
import type { MailRecord, MailState } from "./mails.ts";

export const MAIL_STATES = ["INITIAL", "INTERMEDIATE", "FINISHED"] as const;
export const MAIL_TYPES = ["STARTED", "PROCESSED", "DROPPED", "DEFERRED", "DELIVERED", "BOUNCED"] as const;

export interface MailQuery {
  account?: string | undefined;
  recipient?: string | undefined;
  sender?: string | undefined;
  /** A state of a tracking point, or more exactly its type. */
  state?: MailState | (typeof MAIL_TYPES)[number] | undefined;
  /** `mx`, `relay` (any), or the name of a relay. */
  route?: string | undefined;
  /** The relay's own queue id. */
  queueId?: string | undefined;
  /** Received at this moment or later. */
  since?: Date | undefined;
  /** Received before this moment. */
  until?: Date | undefined;
  cursor?: string | undefined;
  /** 100 by default, 1,000 at most. */
  limit?: number | undefined;
}

const STATE_FILTERS: Readonly<Record<NonNullable<MailQuery["state"]>, Filter<MailRecord>>> = {
  INITIAL: { open: true, state: "INITIAL" },
  INTERMEDIATE: { open: true, state: "INTERMEDIATE" },
  FINISHED: { state: "FINISHED" },
  STARTED: { open: true, type: "STARTED" },
  PROCESSED: { open: true, type: "PROCESSED" },
  DEFERRED: { open: true, type: "DEFERRED" },
  DELIVERED: { type: "DELIVERED" },
  DROPPED: { failed: true, type: "DROPPED" },
  BOUNCED: { failed: true, type: "BOUNCED" },
};

function routeFilter(route: string): Filter<MailRecord> {
  if (route === "mx" || route === "relay") return { route };
  return { route: "relay", relay: toALabels(route) ?? route.toLowerCase() };
}

/** As the record has it: an address without its display name; what is no address, whole. */
function addressAsked(text: string): string {
  const { address } = parseMailbox(text);
  return comparableAddress(isValidAddress(address) ? address : text);
}

/** Where the page after a mail begins. */
export function cursorAfter({ receivedAt, _id }: Pick<MailRecord, "_id" | "receivedAt">): string {
  return encodeCursor(positionOfMoment({ at: receivedAt, _id }));
}

function timeFilters(query: MailQuery): Filter<MailRecord>[] {
  const after = query.cursor === undefined ? undefined : decodeMoment(query.cursor);
  return [
    ...(query.since === undefined ? [] : [{ receivedAt: { $gte: query.since } }]),
    ...(query.until === undefined ? [] : [{ receivedAt: { $lt: query.until } }]),
    ...(after === undefined
      ? []
      : [
          { receivedAt: { $lte: after.at } },
          { $or: [{ receivedAt: { $lt: after.at } }, { receivedAt: after.at, _id: { $lt: after._id } }] },
        ]),
  ];
}

export function mailFilter(query: MailQuery): Filter<MailRecord> {
  const parts: Filter<MailRecord>[] = [
    ...(query.account === undefined ? [] : [{ account: query.account }]),
    ...(query.recipient === undefined ? [] : [{ recipient: addressAsked(query.recipient) }]),
    ...(query.sender === undefined ? [] : [{ sender: addressAsked(query.sender) }]),
    ...(query.state === undefined ? [] : [STATE_FILTERS[query.state]]),
    ...(query.route === undefined ? [] : [routeFilter(query.route)]),
    ...(query.queueId === undefined ? [] : [{ "attempts.result.remoteQueueId": query.queueId }]),
    ...timeFilters(query),
  ];
  return parts.length === 0 ? {} : { $and: parts };
}
