// The collection `audit`: who changed what, when, from what to what. Secrets are never in it; which of them changed is.
import type { Session } from "./changes.ts";
import { within } from "./changes.ts";
import type { Store } from "./connection.ts";
import { guardLong } from "./connection.ts";
import type { Page, PageQuery } from "./documents.ts";
import { NEWEST, olderThan, pageOf, positionOfMoment } from "./documents.ts";

export interface AuditEntry {
  _id: string;
  at: Date;
  who: string;
  /** `relay acme/example.com` */
  what: string;
  /** `create`, `change`, `remove`, `suspend`, … */
  action: string;
  account?: string;
  from?: object;
  to?: object;
  /** Names of the secrets that were set, replaced or removed. */
  secrets?: readonly string[];
}

export interface AuditQuery extends PageQuery {
  account?: string | undefined;
  since?: Date | undefined;
  until?: Date | undefined;
}

export interface Audit {
  prepare(): Promise<void>;
  write(entry: AuditEntry, session?: Session): Promise<void>;
  /** Newest first. */
  page(query: AuditQuery): Promise<Page<AuditEntry>>;
}

export function createAudit(store: Store): Audit {
  const collection = store.collection<AuditEntry>("audit");
  return {
    prepare: () =>
      guardLong(async () => {
        await collection.createIndexes([
          { name: "newest", key: NEWEST },
          { name: "account", key: { account: 1, ...NEWEST } },
        ]);
      }),
    write: (entry, session) =>
      within(session, async () => void (await collection.insertOne(entry, session === undefined ? {} : { session }))),
    page: (query) =>
      guardLong(async () => {
        const at = {
          ...(query.since === undefined ? {} : { $gte: query.since }),
          ...(query.until === undefined ? {} : { $lt: query.until }),
        };
        const filter = {
          ...(query.account === undefined ? {} : { account: query.account }),
          ...(Object.keys(at).length === 0 ? {} : { at }),
        };
        const found = await collection
          .find({ $and: [filter, ...olderThan(query.cursor)] })
          .sort(NEWEST)
          .limit(query.limit + 1)
          .toArray();
        return pageOf(found, query.limit, positionOfMoment);
      }),
  };
}
