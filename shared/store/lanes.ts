// The collection `lanes`: which lanes there are. Written by the router alone, before a lane's first mail is published;
// delivery consumes what it lists.
import type { Clock } from "#shared/clock.ts";
import type { Log } from "#shared/log.ts";
import type { Lane } from "#shared/routing/lane.ts";
import { createChangeReader, LANES, noteChanged } from "./changed.ts";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";
import { createLooks, LOOK_EVERY_MS } from "./looks.ts";

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

export interface LaneWatch {
  /** Looks at once: somebody told of a new lane. */
  lookSoon(): void;
  close(): void;
}

export interface Lanes {
  /** Resolves once the lane is listed; true where this made it. Known lanes cost no look-up. */
  ensure(lane: Lane): Promise<boolean>;
  list(): Promise<readonly ListedLane[]>;
  /** Calls with all lanes now (or as soon as the database is there) and after every change, until `close`. */
  watch(onChange: (lanes: readonly Lane[]) => void): LaneWatch;
  /** Notes since when a lane's relay is gone, or with undefined that it is back. */
  markUnused(name: string, since: Date | undefined): Promise<void>;
  /** Takes a lane off the list; its mailboxes are the caller's to delete. */
  remove(name: string): Promise<void>;
}

/** For what was changed and not noted: a router was killed in between. */
const LIST_EVERY_MS = 10_000;
/** Known lanes are believed for this long, so that one that another replica removed is listed again. */
const BELIEVED_MS = 30_000;

/** Not one that was written by hand, past the router: it must not keep all others from being consumed. */
const isListed = ({ _id, lane }: { _id: string; lane?: Lane | null }): boolean => lane?.name === _id;

export function createLanes(store: Store, clock: Clock, log: Log): Lanes {
  const lanes = store.collection<LaneDocument>("lanes");
  const known = new Map<string, number>();
  const list = async (): Promise<readonly ListedLane[]> => {
    const documents = await guard(() => lanes.find().toArray());
    return documents
      .filter((document) => isListed(document))
      .map(({ lane, unusedSince }) => ({ lane, ...(unusedSince === undefined ? {} : { unusedSince }) }));
  };
  const noted = (): Promise<void> => guard(() => noteChanged(store, LANES));
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
      if (upsertedCount === 0) return false;
      await noted();
      return true;
    },
    markUnused: async (name, since) => {
      const change = since === undefined ? { $unset: { unusedSince: "" as const } } : { $set: { unusedSince: since } };
      await guard(() => lanes.updateOne({ _id: name }, change));
    },
    remove: async (name) => {
      known.delete(name);
      await guard(() => lanes.deleteOne({ _id: name }));
      await noted();
    },
    watch: (onChange) => follow({ store, list, clock, log }, onChange),
  };
}

interface Followed {
  store: Store;
  list(): Promise<readonly ListedLane[]>;
  clock: Clock;
  log: Log;
}

/** Asks whether there was a change, and lists then; on any error at the next look. */
function follow(followed: Followed, onChange: (lanes: readonly Lane[]) => void): LaneWatch {
  const { store, clock, log } = followed;
  const stopped = new AbortController();
  const looks = createLooks(clock);
  const reader = createChangeReader(store, clock);
  let listedMs = -Infinity;
  const look = async (): Promise<void> => {
    const isChanged = (await guard(() => reader.changed())).has(LANES);
    const sinceMs = clock.nowMs() - listedMs;
    if (!isChanged && sinceMs >= 0 && sinceMs < LIST_EVERY_MS) return;
    listedMs = -Infinity;
    const listed = await followed.list();
    listedMs = clock.nowMs();
    if (!stopped.signal.aborted) onChange(listed.map(({ lane }) => lane));
  };
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await look().catch((error: unknown) => {
        if (!stopped.signal.aborted) log.warn({ err: error }, "lanes.not_listed");
      });
      await looks.wait(LOOK_EVERY_MS, stopped.signal);
    }
  };
  void run();
  return { lookSoon: () => looks.soon(), close: () => stopped.abort() };
}
