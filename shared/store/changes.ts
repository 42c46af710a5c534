// Changes of an account's configuration, one after the other: each is a transaction that also writes what `audit` shows of it,
// so that no rule between documents (a relay beside message signing) can be broken by two changes at once.
import type { ClientSession } from "mongodb";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";

export type Session = ClientSession;

interface Turn {
  /** The account's name. */
  _id: string;
  changes: number;
}

/** Runs `work` in a transaction that no other change of the same account overlaps. It may run more than once. */
export async function inTurn<T>(store: Store, account: string, work: (session: Session) => Promise<T>): Promise<T> {
  return guardLong(() =>
    store.db.client.withSession((session) =>
      session.withTransaction(async () => {
        const turns = store.collection<Turn>("turns");
        await turns.updateOne({ _id: account }, { $inc: { changes: 1 } }, { upsert: true, session });
        return work(session);
      }),
    ),
  );
}

/** Work of a transaction is left to throw what the driver throws, for the transaction is then tried again; other work is guarded. */
export function within<T>(session: Session | undefined, work: () => Promise<T>): Promise<T> {
  return session === undefined ? guard(work) : work();
}
