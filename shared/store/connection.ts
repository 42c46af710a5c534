// The connection to MongoDB, which may come later than the service. Everything is written with majority and journal: what was acknowledged is not rolled back.
import { setTimeout as wait } from "node:timers/promises";
import type { Collection, Db, Document } from "mongodb";
import {
  MongoBulkWriteError,
  MongoClient,
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
} from "mongodb";
import { StoreUnavailable } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";

export interface Store {
  readonly db: Db;
  collection<T extends Document>(name: string): Collection<T>;
  /**
   * Resolves when a primary answers. Throws StoreUnavailable. Asked until it has resolved once: a database that is
   * away at the start for longer than an operation waits is found by nothing else.
   */
  ping(): Promise<void>;
  readonly isReady: boolean;
  close(): Promise<void>;
}

const DEFAULT_DATABASE = "waypost";
const SERVER_SELECTION_MS = 5_000;
const CONNECT_AGAIN_MS = 250;
const DUPLICATE_KEY = 11_000;

/** The driver gives up for good when its first connect fails: it is made to connect until it has once been connected. */
async function connectOnce(client: MongoClient, closed: AbortSignal): Promise<void> {
  while (!closed.aborted) {
    try {
      await client.connect();
      return;
    } catch {
      await wait(CONNECT_AGAIN_MS, undefined, { ref: false });
    }
  }
}

/** Opens a store. Does not wait for the database: operations do, and throw StoreUnavailable when it does not come. */
export function connectStore(uri: string, log: Log): Store {
  const client = new MongoClient(uri, {
    writeConcern: { w: "majority", journal: true },
    readConcern: { level: "majority" },
    retryWrites: true,
    retryReads: true,
    serverSelectionTimeoutMS: SERVER_SELECTION_MS,
    ignoreUndefined: true,
  });
  let isReady = false;
  client.on("topologyDescriptionChanged", (event) => {
    const hasPrimary = [...event.newDescription.servers.values()].some((server) => server.isWritable);
    if (hasPrimary !== isReady) log.info({ hasPrimary }, hasPrimary ? "store.connected" : "store.lost");
    isReady = hasPrimary;
  });
  const closed = new AbortController();
  void connectOnce(client, closed.signal);
  const db = client.db(new URL(uri.replace(/,[^/]+/, "")).pathname.slice(1) || DEFAULT_DATABASE);
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
  if (!(error instanceof MongoError)) return false;
  // What broke a bulk write stands inside: `read ECONNRESET` is a MongoBulkWriteError around a MongoNetworkError.
  if (error instanceof MongoBulkWriteError && isFault(error.errorResponse)) return true;
  if (error.hasErrorLabel("RetryableWriteError") || error.hasErrorLabel("TransientTransactionError")) return true;
  return /not primary|pool|topology|closed|interrupted|no primary|timed out/i.test(error.message);
}

/** Runs database work; what a broken database throws becomes StoreUnavailable, so that the runtime pauses and tries again. */
export async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFault(error)) throw new StoreUnavailable("MongoDB cannot be reached or has no primary", error);
    throw error;
  }
}

/** Whether a unique index refused a write. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}
