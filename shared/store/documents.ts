// What the collections of the configuration have in common: documents under a name, read one by one or in pages.
import type { Filter, WithId } from "mongodb";
import { noteChanged } from "./changed.ts";
import type { Session } from "./changes.ts";
import { within } from "./changes.ts";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";

/** How many items a list answers where its caller does not say, and at most. */
export const DEFAULT_LIMIT = 100;
export const MOST_ITEMS = 1_000;

export interface Page<T> {
  items: T[];
  cursor?: string;
}

export interface PageQuery {
  cursor?: string | undefined;
  limit: number;
}

export interface Documents<T extends { _id: string }> {
  find(id: string, session?: Session): Promise<T | undefined>;
  /** Those whose id begins with `prefix`, by id. */
  page(prefix: string, query: PageQuery): Promise<Page<T>>;
  withPrefix(prefix: string, session?: Session): Promise<T[]>;
  /** Creates or replaces. */
  write(document: T, session: Session): Promise<void>;
  remove(id: string, session: Session): Promise<void>;
}

/** Tells a cursor from any other text that is base64. */
const MARK = "after ";

export function encodeCursor(last: string): string {
  return Buffer.from(`${MARK}${last}`).toString("base64url");
}

/** What a cursor stands after, or undefined where the text is no cursor. */
export function decodeCursor(cursor: string): string | undefined {
  const position = Buffer.from(cursor, "base64url").toString().slice(MARK.length);
  return encodeCursor(position) === cursor ? position : undefined;
}

interface Moment {
  _id: string;
  at: Date;
}

/** Lists that are read newest first. */
export const NEWEST = { at: -1, _id: -1 } as const;

export function positionOfMoment({ at, _id }: Moment): string {
  return `${at.getTime()} ${_id}`;
}

/** What a cursor of a list by time stands after, or undefined where the text is none. */
export function decodeMoment(cursor: string): Moment | undefined {
  const match = /^(\d{1,15}) (.+)$/.exec(decodeCursor(cursor) ?? "");
  return match === null ? undefined : { at: new Date(Number(match[1])), _id: match[2] ?? "" };
}

/** Filters for what comes after a cursor, newest first. */
export function olderThan(cursor: string | undefined): object[] {
  const moment = cursor === undefined ? undefined : decodeMoment(cursor);
  if (moment === undefined) return [];
  const { at, _id } = moment;
  return [{ $or: [{ at: { $lt: at } }, { at, _id: { $lt: _id } }] }];
}

/** Cuts what was read (one more than asked for) to a page. */
export function pageOf<T>(found: T[], limit: number, positionOf: (item: T) => string): Page<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return found.length > limit && last !== undefined ? { items, cursor: encodeCursor(positionOf(last)) } : { items };
}

function range(prefix: string, after?: string): object {
  const end = prefix === "" ? {} : { $lt: `${prefix}\u{10FFFF}` };
  return { _id: { ...(after === undefined ? { $gte: prefix } : { $gt: after }), ...end } };
}

export function createDocuments<T extends { _id: string }>(store: Store, name: string): Documents<T> {
  const collection = store.collection<T>(name);
  const byId = (id: string): Filter<T> => ({ _id: id }) as Filter<T>;
  const plain = (found: WithId<T>[]): T[] => found as T[];
  return {
    find: (id, session) =>
      within(session, async () => {
        const found = await collection.findOne(byId(id), session === undefined ? {} : { session });
        return found === null ? undefined : (found as T);
      }),
    page: (prefix, { cursor, limit }) =>
      guard(async () => {
        const filter = range(prefix, cursor === undefined ? undefined : decodeCursor(cursor)) as Filter<T>;
        const found = await collection
          .find(filter)
          .sort({ _id: 1 })
          .limit(limit + 1)
          .toArray();
        return pageOf(plain(found), limit, (item) => item._id);
      }),
    withPrefix: (prefix, session) =>
      within(session, async () =>
        plain(await collection.find(range(prefix) as Filter<T>, session === undefined ? {} : { session }).toArray()),
      ),
    write: async (document, session) => {
      await collection.replaceOne(byId(document._id), document, { upsert: true, session });
      await noteChanged(store, document._id, session);
    },
    remove: async (id, session) => {
      await collection.deleteOne(byId(id), { session });
      await noteChanged(store, id, session);
    },
  };
}
