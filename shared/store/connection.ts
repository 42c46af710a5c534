// The connection to MongoDB, which may come later than the service. Everything is written with majority and journal: what was acknowledged is not rolled back.
import { setTimeout as wait } from "node:timers/promises";
import type { Collection, Db, Document, MongoClient } from "mongodb";
import {
  MongoBulkWriteError,
  MongoError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoServerError,
  MongoServerSelectionError,
} from "mongodb";
import { StoreUnavailable, wordsOf } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import { createClient } from "./client.ts";
import { watchForReplaced } from "./renewal.ts";

export interface Store {
  readonly db: Db;
  collection<T extends Document>(name: string): Collection<T>;
  /**
   * Resolves when a primary answers. Throws StoreUnavailable. Asked until it has resolved once: a database that is
   * away at the start for longer than an operation waits is found by nothing else.
   */
  ping(): Promise<void>;
  readonly isReady: boolean;
  /** Why the first connection was not made yet, in the driver's words: refused, wrong password, a certificate. */
  readonly failure: string | undefined;
  close(): Promise<void>;
}

const CONNECT_AGAIN_MS = 250;
/** Far above what a question takes, and above two selections of a server: the operation, and its one retry by the driver. */
const ANSWERED_WITHIN_MS = 12_000;
/** For what looks at many documents, or makes an index of them. */
const LONG_WORK_MS = 120_000;
const DUPLICATE_KEY = 11_000;
/** Answers that say something of the server, of rights or of disks, and nothing of the request. */
const SERVER_TROUBLES: ReadonlyMap<unknown, string> = new Map([
  [6, "HostUnreachable"],
  [7, "HostNotFound"],
  [13, "Unauthorized"],
  [18, "AuthenticationFailed"],
  [24, "LockTimeout"],
  [43, "CursorNotFound"],
  [46, "LockBusy"],
  [50, "MaxTimeMSExpired"],
  [89, "NetworkTimeout"],
  [91, "ShutdownInProgress"],
  [133, "FailedToSatisfyReadPreference"],
  [134, "ReadConcernMajorityNotAvailableYet"],
  [175, "QueryPlanKilled"],
  [189, "PrimarySteppedDown"],
  [202, "NetworkInterfaceExceededTimeLimit"],
  [237, "CursorKilled"],
  [262, "ExceededTimeLimit"],
  [365, "TemporarilyUnavailable"],
  [371, "UserWritesBlocked"],
  [391, "ReauthenticationRequired"],
  [13_436, "NotPrimaryOrSecondary"],
  [14_031, "OutOfDiskSpace"],
]);

/** The driver gives up for good when a connect fails: it is made to connect until it has been connected. */
async function connectOnce(client: MongoClient, closed: AbortSignal, tell: (failure?: string) => void): Promise<void> {
  while (!closed.aborted) {
    try {
      await client.connect();
      return tell();
    } catch (error) {
      tell(wordsOf(error));
      await wait(CONNECT_AGAIN_MS, undefined, { ref: false });
    }
  }
}

/** Forgets what elections there were, as a process that starts does. */
async function closeReplaced(client: MongoClient, log: Log): Promise<void> {
  log.warn("store.replaced");
  await client.close().catch((error: unknown) => log.warn({ err: error }, "store.not_closed"));
}

/** Opens a store. Does not wait for the database: operations do, and throw StoreUnavailable when it does not come. */
export function connectStore(uri: string, log: Log): Store {
  const { client, db } = createClient(uri);
  const closed = new AbortController();
  let isReady = false;
  let failure: string | undefined;
  const connect = (): Promise<void> => connectOnce(client, closed.signal, (told) => (failure = told));
  const look = watchForReplaced(() => {
    if (!closed.signal.aborted) void closeReplaced(client, log).then(connect);
  });
  client.on("topologyDescriptionChanged", (event) => {
    look(event.newDescription);
    const hasPrimary = [...event.newDescription.servers.values()].some((server) => server.isWritable);
    if (hasPrimary !== isReady) log.info({ hasPrimary }, hasPrimary ? "store.connected" : "store.lost");
    isReady = hasPrimary;
  });
  void connect();
  return {
    db,
    collection: (name) => db.collection(name),
    ping: () =>
      guard(async () => {
        // A client whose first connect has failed closes itself, and only this opens it again.
        await client.connect();
        await db.command({ ping: 1 });
      }),
    get isReady() {
      return isReady;
    },
    get failure() {
      return isReady ? undefined : failure;
    },
    close: () => {
      closed.abort();
      return client.close();
    },
  };
}

/** What the socket throws while the driver writes a command reaches us as it is: `write ECONNRESET`. */
function isSocketError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && "errno" in error;
}

/** Whether it is the database that is away, and not the request that is wrong. */
export function isFault(error: unknown): boolean {
  if (isSocketError(error)) return true;
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  if (error instanceof MongoNotConnectedError) return true;
  if (!(error instanceof MongoError)) return false;
  // What broke a bulk write stands inside: `read ECONNRESET` is a MongoBulkWriteError around a MongoNetworkError.
  if (error instanceof MongoBulkWriteError && isFault(error.errorResponse)) return true;
  if (error instanceof MongoBulkWriteError && error.result?.getWriteConcernError() !== undefined) return true;
  if (SERVER_TROUBLES.has(error.code)) return true;
  if (error.hasErrorLabel("RetryableWriteError") || error.hasErrorLabel("TransientTransactionError")) return true;
  return /not primary|pool|topology|closed|interrupted|no primary|timed out/i.test(error.message);
}

function troubleOf(error: unknown): string {
  const trouble = error instanceof MongoError ? SERVER_TROUBLES.get(error.code) : undefined;
  return trouble === undefined ? "MongoDB cannot be reached or has no primary" : `MongoDB does not serve: ${trouble}`;
}

/** Rejects after `ms`, until it is disposed of. */
function limit(ms: number): { reached: Promise<never>; [Symbol.dispose](): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new StoreUnavailable(`MongoDB did not answer within ${ms / 1_000} s`)), ms);
  return { reached: promise, [Symbol.dispose]: () => clearTimeout(timer) };
}

/**
 * Runs database work; what a broken database throws becomes StoreUnavailable, so that the runtime pauses and tries again.
 * So does an answer that has not come after `withinMs`: when a server is killed, the driver may leave an operation without
 * an end for ever. Such work may have been done, or be done yet, as with any connection that breaks.
 */
export async function guard<T>(work: () => Promise<T>, withinMs = ANSWERED_WITHIN_MS): Promise<T> {
  using late = limit(withinMs);
  try {
    return await Promise.race([work(), late.reached]);
  } catch (error) {
    if (isFault(error)) throw new StoreUnavailable(troubleOf(error), error);
    throw error;
  }
}

/** The same for work that rightly takes long. */
export function guardLong<T>(work: () => Promise<T>): Promise<T> {
  return guard(work, LONG_WORK_MS);
}

/** Whether a unique index refused a write. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}
