// The collection `lanes`: which lanes there are. Written by the router alone, before a lane's first mail is published;
// delivery consumes what it lists.
import type { ChangeStream } from "mongodb";
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { Lane } from "#shared/routing/lane.ts";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";

interface LaneDocument {
  /** The lane's name. */
  _id: string;
  lane: Lane;
  madeAt: Date;
  /** Since when the relay of the lane is gone from the configuration. */
  unusedSince?: Date;
}

export interface ListedLane {
  lane: Lane;
  unusedSince?: Date;
}

export interface Lanes {
  /** Resolves once the lane is listed; true where this made it. Known lanes cost no look-up. */
  ensure(lane: Lane): Promise<boolean>;
  list(): Promise<readonly ListedLane[]>;
  /** Calls with all lanes now (or as soon as the database is there) and after every change, until `close`. */
  watch(onChange: (lanes: readonly Lane[]) => void): { close(): Promise<void> };
  /** Notes since when a lane's relay is gone, or with undefined that it is back. */
  markUnused(name: string, since: Date | undefined): Promise<void>;
  /** Takes a lane off the list; its mailboxes are the caller's to delete. */
  remove(name: string): Promise<void>;
}

const REOPEN_MS = 500;
/** Longest wait of one question to the stream; the first of them opens it, and the first listing waits for that. */
const LOOK_MS = 200;
/** Known lanes are believed for this long, so that one that another replica removed is listed again. */
const BELIEVED_MS = 30_000;

export function createLanes(store: Store, clock: Clock, log: Log): Lanes {
  const lanes = store.collection<LaneDocument>("lanes");
  const known = new Map<string, number>();
  const list = async (): Promise<readonly ListedLane[]> => {
    const documents = await guard(() => lanes.find().toArray());
    return documents.map(({ lane, unusedSince }) => ({ lane, ...(unusedSince === undefined ? {} : { unusedSince }) }));
  };
  return {
    list,
    ensure: async (lane) => {
      if ((known.get(lane.name) ?? 0) > clock.nowMs()) return false;
      const { upsertedCount } = await guard(() =>
        lanes.updateOne(
          { _id: lane.name },
          { $setOnInsert: { lane, madeAt: clock.now() }, $unset: { unusedSince: "" } },
          { upsert: true },
        ),
      );
      known.set(lane.name, clock.nowMs() + BELIEVED_MS);
      return upsertedCount > 0;
    },
    markUnused: async (name, since) => {
      const change = since === undefined ? { $unset: { unusedSince: "" as const } } : { $set: { unusedSince: since } };
      await guard(() => lanes.updateOne({ _id: name }, change));
    },
    remove: async (name) => {
      known.delete(name);
      await guard(() => lanes.deleteOne({ _id: name }));
    },
    watch: (onChange) =>
      follow({ open: () => lanes.watch([], { maxAwaitTimeMS: LOOK_MS }), list, clock, log }, onChange),
  };
}

interface Followed {
  open(): ChangeStream<LaneDocument>;
  list(): Promise<readonly ListedLane[]>;
  clock: Clock;
  log: Log;
}

/** Opens the stream first, then lists, then lists again on every change; on any error all of it again. */
function follow(followed: Followed, onChange: (lanes: readonly Lane[]) => void): { close(): Promise<void> } {
  const stopped = new AbortController();
  let stream: ChangeStream<LaneDocument> | undefined;
  const tell = async (): Promise<void> => {
    const lanes = await followed.list();
    if (!stopped.signal.aborted) onChange(lanes.map(({ lane }) => lane));
  };
  const followOnce = async (): Promise<void> => {
    const opened = followed.open();
    stream = opened;
    await opened.tryNext();
    // Changes that come while one listing runs share the next.
    const telling = createCoalescer(tell, () => void opened.close().catch(() => undefined));
    for (telling.ask(); !stopped.signal.aborted; telling.ask()) await opened.next();
  };
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await followOnce().catch((error: unknown) => {
        if (!stopped.signal.aborted) followed.log.warn({ err: error }, "lanes.reopened");
      });
      await stream?.close().catch(() => undefined);
      await followed.clock.sleep(REOPEN_MS, stopped.signal).catch(() => undefined);
    }
  };
  const running = run();
  return {
    close: async () => {
      stopped.abort();
      await stream?.close().catch(() => undefined);
      await running;
    },
  };
}

/** Runs `work` once for any number of requests that came while it ran. */
function createCoalescer(work: () => Promise<void>, onFailure: () => void): { ask(): void } {
  let isAsked = false;
  let isRunning = false;
  const run = async (): Promise<void> => {
    isRunning = true;
    while (isAsked) {
      isAsked = false;
      await work();
    }
  };
  return {
    ask: () => {
      isAsked = true;
      if (isRunning) return;
      run()
        .catch(onFailure)
        .finally(() => (isRunning = false));
    },
  };
}
