// The collection `dead-letters`: messages that no service could handle, with the reason, until they are replayed or too old.
// Bodies stand apart in pieces, for a document holds 16 MB at most.
import type { Binary } from "mongodb";
import { QUEUES } from "#shared/broker/topology.ts";
import type { Store } from "./connection.ts";
import { guard, guardLong } from "./connection.ts";
import type { Page, PageQuery } from "./documents.ts";
import { NEWEST, olderThan, pageOf, positionOfMoment } from "./documents.ts";

export interface StoredDeadLetter {
  _id: string;
  at: Date;
  reason: string;
  /** The queue it died in. */
  queue: string;
  exchange: string;
  routingKey: string;
  type: string;
  messageId?: string;
  properties: Readonly<Record<string, unknown>>;
  headers: Readonly<Record<string, unknown>>;
  bytes: number;
  account?: string;
  jobId?: string;
  mailId?: string;
  /** Of the job or mail that it says it is about. */
  deadline?: Date;
  replayedAt?: Date;
  expiresAt: Date;
}

type AnyValues = StoredDeadLetter["headers"];

/** Properties and headers as JSON: an application's have names and depths that no document has. Earlier ones are documents. */
type LetterDocument = Omit<StoredDeadLetter, "properties" | "headers"> & {
  properties: string | AnyValues;
  headers: string | AnyValues;
};

function letterOf({ properties, headers, ...letter }: LetterDocument): StoredDeadLetter {
  const valuesOf = (stored: string | AnyValues): AnyValues =>
    typeof stored === "string" ? (JSON.parse(stored) as AnyValues) : stored;
  return { ...letter, properties: valuesOf(properties), headers: valuesOf(headers) };
}

/** Letters whose job and mail can be relied upon: applications publish to the mailbox of submissions, and to no other. */
export const FROM_WAYPOST = { queue: { $ne: QUEUES.submissions } } as const;

interface Piece {
  _id: string;
  letter: string;
  index: number;
  data: Binary;
  expiresAt: Date;
}

export interface DeadLetters {
  prepare(): Promise<void>;
  /** Writing the same letter again changes nothing; one that was replayed and died again is listed again. */
  add(letter: StoredDeadLetter, body: Buffer): Promise<void>;
  find(id: string): Promise<StoredDeadLetter | undefined>;
  body(id: string): Promise<Buffer>;
  /** Unless it has died again since it was found: then it is a letter again. */
  markReplayed(letter: Pick<StoredDeadLetter, "_id" | "at">, at: Date): Promise<void>;
  count(): Promise<number>;
  /** Newest first; replayed ones are left out. */
  page(query: PageQuery & { account?: string | undefined }): Promise<Page<StoredDeadLetter>>;
}

const PIECE_BYTES = 8 * 1024 * 1024;

function piecesOf(letter: StoredDeadLetter, body: Buffer): (Omit<Piece, "data"> & { data: Buffer })[] {
  return Array.from({ length: Math.max(1, Math.ceil(body.length / PIECE_BYTES)) }, (_, index) => ({
    _id: `${letter._id}/${index}`,
    letter: letter._id,
    index,
    data: body.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES),
    expiresAt: letter.expiresAt,
  }));
}

export function createDeadLetters(store: Store): DeadLetters {
  const letters = store.collection<LetterDocument>("dead-letters");
  const pieces = store.collection<Piece>("dead-letter-bodies");
  return {
    prepare: () =>
      guardLong(async () => {
        await letters.createIndexes([
          { name: "newest", key: NEWEST },
          { name: "mail", key: { mailId: 1 }, partialFilterExpression: { mailId: { $exists: true } } },
          { name: "deadline", key: { queue: 1, deadline: 1 } },
          { name: "retention", key: { expiresAt: 1 }, expireAfterSeconds: 0 },
        ]);
        await pieces.createIndexes([
          { name: "letter", key: { letter: 1, index: 1 } },
          { name: "retention", key: { expiresAt: 1 }, expireAfterSeconds: 0 },
        ]);
      }),
    add: (letter, body) =>
      guard(async () => {
        for (const { _id, ...piece } of piecesOf(letter, body)) {
          await store.collection("dead-letter-bodies").updateOne({ _id } as object, { $set: piece }, { upsert: true });
        }
        const { _id, properties, headers, ...others } = letter;
        const fields = { ...others, properties: JSON.stringify(properties), headers: JSON.stringify(headers) };
        await letters.updateOne({ _id }, { $set: fields, $unset: { replayedAt: "" } }, { upsert: true });
      }),
    find: (id) =>
      guard(async () => {
        const found = await letters.findOne({ _id: id });
        return found === null ? undefined : letterOf(found);
      }),
    body: (id) =>
      guardLong(async () => {
        const found = await pieces.find({ letter: id }).sort({ index: 1 }).toArray();
        return Buffer.concat(found.map((piece) => Buffer.from(piece.data.buffer).subarray(0, piece.data.position)));
      }),
    markReplayed: ({ _id, at }, replayedAt) =>
      guard(async () => void (await letters.updateOne({ _id, at }, { $set: { replayedAt } }))),
    count: () => guardLong(() => letters.countDocuments({ replayedAt: { $exists: false } })),
    page: ({ account, cursor, limit }) =>
      guardLong(async () => {
        const filter = { replayedAt: { $exists: false }, ...(account === undefined ? {} : { account }) };
        const found = await letters
          .find({ $and: [filter, ...olderThan(cursor)] })
          .sort(NEWEST)
          .limit(limit + 1)
          .toArray();
        return pageOf(found.map(letterOf), limit, positionOfMoment);
      }),
  };
}
