// Changes of an account's configuration, one after the other: each is a transaction that also writes what `audit` shows of it,
// so that no rule between documents (a relay beside message signing) can be broken by two changes at once.
import type { ClientSession } from "mongodb";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";
import { countTurn } from "./turns.ts";

export type Session = ClientSession;

/** Runs `work` in a transaction that no other change of the same account overlaps. It may run more than once. */
export async function inTurn<T>(store: Store, account: string, work: (session: Session) => Promise<T>): Promise<T> {
  return guard(() =>
    store.db.client.withSession((session) =>
      session.withTransaction(async () => {
        await countTurn(store, account, session);
        return work(session);
      }),
    ),
  );
}

/** Work of a transaction is left to throw what the driver throws, for the transaction is then tried again; other work is guarded. */
export function within<T>(session: Session | undefined, work: () => Promise<T>): Promise<T> {
  return session === undefined ? guard(work) : work();
}
