// The collection `accounts`. Written by control alone; services read it through configuration.ts.
import type { Account } from "#shared/routing/configuration.ts";
import { CONFIGURATION_COLLECTIONS } from "./configuration.ts";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";
import type { Documents } from "./documents.ts";
import { createDocuments } from "./documents.ts";

export type Accounts = Documents<Account> & {
  /** Makes the indexes. Throws StoreUnavailable. */
  prepare(): Promise<void>;
  /** Accounts that DELETE was said of. */
  leaving(): Promise<Account[]>;
  ofBrokerUser(user: string): Promise<Account | undefined>;
};

export function createAccounts(store: Store): Accounts {
  const collection = store.collection<Account>(CONFIGURATION_COLLECTIONS.accounts);
  return {
    ...createDocuments<Account>(store, CONFIGURATION_COLLECTIONS.accounts),
    prepare: () =>
      guardLong(async () => {
        await collection.createIndexes([
          {
            name: "brokerUser",
            key: { brokerUser: 1 },
            unique: true,
            partialFilterExpression: { brokerUser: { $exists: true } },
          },
        ]);
      }),
    leaving: () => guard(() => collection.find({ removedAt: { $exists: true } }).toArray()),
    ofBrokerUser: (user) => guard(async () => (await collection.findOne({ brokerUser: user })) ?? undefined),
  };
}
