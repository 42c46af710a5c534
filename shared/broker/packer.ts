// Gathers messages that travel together. At rest they go out at once; what comes just after waits for more: the longer, the
// more there was in the last pack. Whoever waits for a message waits for the confirm of its pack.
import type { PackTarget } from "./actor.ts";
import { encodeBody } from "./encoding.ts";
import { packOf } from "./pack.ts";
import type { Entry, Waiter } from "./publish-job.ts";
import { UNSENT } from "./publish-job.ts";

/** Above two hundred messages a second each pack is larger than the one before, up to what comes in the longest pause. */
const PAUSE_A_PART_MS = 5;
const LONGEST_PAUSE_MS = 15;
const MOST_PARTS = 100;
/** Bodies, and records that are long. A consumer holds whole packs, as many as it could hold of single messages. */
const MOST_BYTES = 16 * 1024;
const LONG_RECORD = 2 * 1024;

interface Gathering {
  target: PackTarget;
  entries: Entry[];
  bytes: number;
  /** Runs since the last pack: while it does, the next one gathers. */
  pause: NodeJS.Timeout | undefined;
}

export class Packer {
  readonly #send: (pack: Entry) => void;
  readonly #gatherings = new Map<string, Gathering>();

  constructor(send: (pack: Entry) => void) {
    this.#send = send;
  }

  /** Messages that wait for their pack. */
  get size(): number {
    let size = 0;
    for (const { entries } of this.#gatherings.values()) size += entries.length;
    return size;
  }

  /** Takes those that are to travel with others. */
  add(entries: readonly Entry[]): void {
    const added = new Set<Gathering>();
    for (const entry of entries) {
      const { packedTo } = entry.message;
      if (packedTo === undefined) continue;
      const gathering = this.#gatheringFor(packedTo);
      const bytes = sizeOf(entry);
      if (gathering.bytes + bytes > MOST_BYTES) this.#flush(gathering);
      gathering.entries.push(entry);
      gathering.bytes += bytes;
      added.add(gathering);
      if (gathering.entries.length >= MOST_PARTS) this.#flush(gathering);
    }
    for (const gathering of added) if (gathering.pause === undefined) this.#flush(gathering);
  }

  /** Nothing else is on its way: what is gathered may be all that its publisher has in hand. */
  flush(): void {
    for (const gathering of this.#gatherings.values()) if (gathering.entries.length > 0) this.#flush(gathering);
  }

  close(error: Error): void {
    for (const { pause, entries } of this.#gatherings.values()) {
      clearTimeout(pause);
      for (const { job } of entries) job.fail(error);
    }
    this.#gatherings.clear();
  }

  #gatheringFor(target: PackTarget): Gathering {
    const key = `${target.exchange} ${target.routingKey}`;
    const known = this.#gatherings.get(key);
    if (known !== undefined) return known;
    const gathering: Gathering = { target, entries: [], bytes: 0, pause: undefined };
    this.#gatherings.set(key, gathering);
    return gathering;
  }

  #flush(gathering: Gathering): void {
    clearTimeout(gathering.pause);
    gathering.pause = undefined;
    const entries = gathering.entries.filter(({ job }) => !job.isOver);
    gathering.entries = [];
    gathering.bytes = 0;
    if (entries.length === 0) return;
    const pauseMs = Math.min(entries.length * PAUSE_A_PART_MS, LONGEST_PAUSE_MS);
    gathering.pause = setTimeout(() => this.#flush(gathering), pauseMs);
    this.#send(entryOf(gathering.target, entries));
  }
}

function sizeOf({ body, record = "" }: Entry): number {
  return body.length + (record.length > LONG_RECORD ? record.length : 0);
}

/** The parts have spans and trace contexts of their own; the pack has none. */
function entryOf(target: PackTarget, entries: readonly Entry[]): Entry {
  const message = packOf(target, entries);
  const { bytes, contentType } = encodeBody(message);
  return {
    message,
    body: bytes,
    contentType,
    record: undefined,
    job: waitersOf(entries),
    span: undefined,
    traceparent: undefined,
    suspect: false,
    ...UNSENT,
  };
}

function waitersOf(entries: readonly Entry[]): Waiter {
  return {
    get isOver() {
      return entries.every(({ job }) => job.isOver);
    },
    confirmOne: () => {
      for (const { job } of entries) job.confirmOne();
    },
    fail: (error) => {
      for (const { job } of entries) job.fail(error);
    },
  };
}
