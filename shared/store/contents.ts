// Bodies too large to travel in messages (design, Content and secrets that travel): stored once for a job, read through a
// small cache, gone a day after the job's deadline. One document for each 2 MiB; the TTL index sweeps orphans as well.
import { randomUUID } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Collection } from "mongodb";
import type { ContentRef } from "#shared/contracts/mail.ts";
import { WaypostError } from "#shared/errors.ts";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";

/** Content whose copies come to this much in all travels in the messages. */
const MOST_TRAVELLING_BYTES = 64 * 1024;
/** What the driver copies at a time. */
const CHUNK_BYTES = 2 * 1024 * 1024;
/** Holds the largest mail; the oldest go first. */
const CACHE_BYTES = 32 * 1024 * 1024;
/** After the job's deadline, for what is still on its way then. */
const AFTER_DEADLINE_MS = 86_400_000;

interface StoredChunk {
  /** `<content id>/<number of the chunk>` */
  _id: string;
  data: Buffer;
  /** Of the whole content. */
  bytes: number;
  expiresAt: Date;
}

export interface Contents {
  /** Keeps `content` for `copies` mails; `stored` ones are written with majority when this resolves. Throws StoreUnavailable. */
  put(content: Buffer, copies: number, deadline: Date): Promise<ContentRef>;
  /** What `put` kept; `inline` is what travelled with the message. Throws CONTENT_MISSING or StoreUnavailable. */
  get(ref: ContentRef, inline?: Buffer): Promise<Buffer>;
  /** The same, chunk by chunk: no more than two of them are held. For who looks at all of it once. */
  read(ref: ContentRef, inline?: Buffer): AsyncIterable<Buffer>;
  /** Stored content by its id; undefined where it is not, or no longer, there. Throws StoreUnavailable. */
  find(id: string): Promise<Buffer | undefined>;
  prepare(): Promise<void>;
}

/** Numbered so that their ids sort in their order. */
function chunkId(id: string, index: number): string {
  return `${id}/${String(index).padStart(3, "0")}`;
}

function chunksOf(id: string): { _id: { $gte: string; $lte: string } } {
  return { _id: { $gte: chunkId(id, 0), $lte: chunkId(id, 999) } };
}

function missing(id: string): WaypostError {
  return new WaypostError("CONTENT_MISSING", `the stored content ${id} is not there`, { retriable: false });
}

async function* readChunks(collection: Collection<StoredChunk>, id: string): AsyncIterable<Buffer> {
  const cursor = collection.find(chunksOf(id), { promoteBuffers: true, sort: { _id: 1 }, batchSize: 1 });
  let left: number | undefined;
  try {
    for (;;) {
      const chunk = await guard(() => cursor.next());
      if (chunk === null) break;
      left = (left ?? chunk.bytes) - chunk.data.length;
      yield chunk.data;
    }
  } finally {
    await guard(() => cursor.close()).catch(() => undefined);
  }
  if (left !== 0) throw missing(id);
}

export function createContents(store: Store): Contents {
  const collection = store.collection<StoredChunk>("contents");
  const cache = new LRUCache<string, Buffer>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (content) => Math.max(1, content.length),
  });
  const reading = new Map<string, Promise<Buffer | undefined>>();

  async function read(id: string): Promise<Buffer | undefined> {
    const found = await guard(() =>
      collection.find(chunksOf(id), { promoteBuffers: true, sort: { _id: 1 } }).toArray(),
    );
    const only = found[0];
    const content = found.length === 1 && only !== undefined ? only.data : Buffer.concat(found.map(({ data }) => data));
    if (only === undefined || content.length !== only.bytes) return undefined;
    cache.set(id, content);
    return content;
  }

  /** Many mails of a job ask at once: the first reads for all. */
  async function find(id: string): Promise<Buffer | undefined> {
    const cached = cache.get(id);
    if (cached !== undefined) return cached;
    const started = reading.get(id) ?? read(id).finally(() => reading.delete(id));
    reading.set(id, started);
    return started;
  }

  return {
    read: async function* (ref, inline) {
      if (ref.kind === "inline") yield inline ?? Buffer.alloc(0);
      else yield* readChunks(collection, ref.id);
    },
    put: async (content, copies, deadline) => {
      const bytes = content.length;
      if (bytes * copies <= MOST_TRAVELLING_BYTES) return { kind: "inline", bytes };
      const id = randomUUID();
      const expiresAt = new Date(deadline.getTime() + AFTER_DEADLINE_MS);
      for (let start = 0; start < bytes; start += CHUNK_BYTES) {
        const data = content.subarray(start, start + CHUNK_BYTES);
        await guard(() => collection.insertOne({ _id: chunkId(id, start / CHUNK_BYTES), data, bytes, expiresAt }));
      }
      return { kind: "stored", id, bytes };
    },
    get: async (ref, inline) => {
      if (ref.kind === "inline") return inline ?? Buffer.alloc(0);
      const content = await find(ref.id);
      if (content === undefined) throw missing(ref.id);
      return content;
    },
    find,
    prepare: async () => {
      await guardLong(() => collection.createIndex({ expiresAt: 1 }, { name: "expiry", expireAfterSeconds: 0 }));
    },
  };
}
