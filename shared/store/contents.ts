// Bodies too large to travel in messages (design, Content and secrets that travel): stored once for a job, read through a
// small cache, gone a day after the job's deadline. One document for each 8 MiB; the TTL index sweeps orphans as well.
import { randomUUID } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { ContentRef } from "#shared/contracts/mail.ts";
import { WaypostError } from "#shared/errors.ts";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";

/** Content whose copies come to this much in all travels in the messages. */
const MOST_TRAVELLING_BYTES = 64 * 1024;
const CHUNK_BYTES = 8 * 1024 * 1024;
/** Holds the largest mail; the oldest go first. */
const CACHE_BYTES = 32 * 1024 * 1024;
/** After the job's deadline, for what is still on its way then. */
const AFTER_DEADLINE_MS = 86_400_000;

interface StoredChunk {
  /** `<content id>/<number of the chunk>` */
  _id: string;
  data: Buffer;
  expiresAt: Date;
}

export interface Contents {
  /** Keeps `content` for `copies` mails; `stored` ones are written with majority when this resolves. Throws StoreUnavailable. */
  put(content: Buffer, copies: number, deadline: Date): Promise<ContentRef>;
  /** What `put` kept; `inline` is what travelled with the message. Throws CONTENT_MISSING or StoreUnavailable. */
  get(ref: ContentRef, inline?: Buffer): Promise<Buffer>;
  /** Takes back what no job will refer to. */
  remove(ref: ContentRef): Promise<void>;
  prepare(): Promise<void>;
}

function chunkIds(id: string, bytes: number): string[] {
  return Array.from({ length: Math.ceil(bytes / CHUNK_BYTES) }, (_, index) => `${id}/${index}`);
}

function missing(id: string): WaypostError {
  return new WaypostError("CONTENT_MISSING", `the stored content ${id} is not there`, { retriable: false });
}

export function createContents(store: Store): Contents {
  const collection = store.collection<StoredChunk>("contents");
  const cache = new LRUCache<string, Buffer>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (content) => Math.max(1, content.length),
  });
  const reading = new Map<string, Promise<Buffer>>();

  async function read(id: string, bytes: number): Promise<Buffer> {
    const ids = chunkIds(id, bytes);
    const found = await guard(() =>
      collection.find({ _id: { $in: ids } }, { promoteBuffers: true, sort: { _id: 1 } }).toArray(),
    );
    const only = found[0];
    const content = found.length === 1 && only !== undefined ? only.data : Buffer.concat(found.map(({ data }) => data));
    if (content.length !== bytes) throw missing(id);
    cache.set(id, content);
    return content;
  }

  return {
    put: async (content, copies, deadline) => {
      const bytes = content.length;
      if (bytes * copies <= MOST_TRAVELLING_BYTES) return { kind: "inline", bytes };
      const id = randomUUID();
      const expiresAt = new Date(deadline.getTime() + AFTER_DEADLINE_MS);
      const chunks = chunkIds(id, bytes).map((_id, index) => ({
        _id,
        data: content.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
        expiresAt,
      }));
      for (const chunk of chunks) await guard(() => collection.insertOne(chunk));
      return { kind: "stored", id, bytes };
    },
    get: async (ref, inline) => {
      if (ref.kind === "inline") return inline ?? Buffer.alloc(0);
      const cached = cache.get(ref.id);
      if (cached !== undefined) return cached;
      const started = reading.get(ref.id) ?? read(ref.id, ref.bytes).finally(() => reading.delete(ref.id));
      reading.set(ref.id, started);
      return started;
    },
    remove: async (ref) => {
      if (ref.kind === "inline") return;
      await guard(() => collection.deleteMany({ _id: { $in: chunkIds(ref.id, ref.bytes) } }));
    },
    prepare: async () => {
      await guard(() => collection.createIndex({ expiresAt: 1 }, { name: "expiry", expireAfterSeconds: 0 }));
    },
  };
}
