// The driver's client for a MONGODB_URI and the database that it names, and what is wrong with one that the driver refuses.
// Nothing is opened here. The driver is loaded with the first URI: the command line reads the settings too, and has none.
import { createRequire } from "node:module";
import type { Db, MongoClient } from "mongodb";
import type * as Driver from "mongodb";

const DEFAULT_DATABASE = "waypost";
const NAMES_DATABASE = /^[^/]+:\/\/[^/?]+\/[^?#\s]/;
const SERVER_SELECTION_MS = 5_000;
/** What the server refuses, each question anew; the driver looks for dots alone. */
const NO_DATABASE = /[/\\. "$\0]|^.{64}/;
const PERCENT_ENCODED = "with user, password and database percent-encoded";

const NAMED = 'whose database is named without / \\ . " $ and spaces, in at most 63 characters';

const load = createRequire(import.meta.url);
const driver = (): typeof Driver => load("mongodb") as typeof Driver;

/** Throws where the driver cannot read the URI. */
export function createClient(uri: string): { client: MongoClient; db: Db } {
  const client = new (driver().MongoClient)(uri, {
    writeConcern: { w: "majority", journal: true },
    readConcern: { level: "majority" },
    retryWrites: true,
    retryReads: true,
    serverSelectionTimeoutMS: SERVER_SELECTION_MS,
    ignoreUndefined: true,
  });
  return { client, db: client.db(NAMES_DATABASE.test(uri) ? undefined : DEFAULT_DATABASE) };
}

/** What a URI should be that the driver cannot read; undefined where it can. */
export function mistakeOfUri(uri: string): string | undefined {
  try {
    const { db } = createClient(uri);
    return NO_DATABASE.test(db.databaseName) ? `a mongodb:// URI ${NAMED}` : undefined;
  } catch (error) {
    // With a second @ the rest of the password passes for host or option, and would be quoted.
    const isQuotable = error instanceof driver().MongoError && uri.split("@").length <= 2;
    const shape = isQuotable ? `that the driver can read (${error.message})` : PERCENT_ENCODED;
    return `a mongodb:// URI ${shape}`;
  }
}
