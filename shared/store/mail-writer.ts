// Writes the record of mails in batches; used by the notifier alone. The rules of what is written are its record.ts:
// here is how it is written so that replicas, repetitions and points out of order never overwrite each other.
import type { AnyBulkWriteOperation, Collection, Filter, UpdateFilter } from "mongodb";
import type { Store } from "./connection.ts";
import { guard } from "./connection.ts";
import type { MailRecord, NotificationNote } from "./mails.ts";
import { mailsOf } from "./mails.ts";
import { refusedAsDuplicates } from "./refused-as-duplicates.ts";

/** What a POST told of which mails. */
export interface NoteOfMails {
  mailIds: readonly string[];
  note: NotificationNote;
  /** Mails whose end was told, or never will be: nothing is awaited for them any more. */
  settled: readonly string[];
}

export interface MailWriter {
  /** Writes new records; answers the ids of those that were there already and are as they were. */
  insert(records: readonly MailRecord[]): Promise<ReadonlySet<string>>;
  /**
   * Adds what the given records hold (points, attempts, state) to the mails of these ids, where all of it is news and
   * moves the mail on. Answers how many mails took it; the others are as they were.
   */
  append(additions: readonly MailRecord[]): Promise<number>;
  load(mailIds: readonly string[]): Promise<ReadonlyMap<string, MailRecord>>;
  /** Writes merged records over the version before; answers how many were still at it. */
  replace(records: readonly MailRecord[]): Promise<number>;
  note(notes: readonly NoteOfMails[]): Promise<void>;
  /** Nothing is awaited any more for these mails. */
  settle(mailIds: readonly string[]): Promise<void>;
  /** Those whose recipient was erased. */
  erasedOf(mailIds: readonly string[]): Promise<ReadonlySet<string>>;
}

/** The fields that tracking points move, as they stand in a merged record. */
function movedFields(record: MailRecord): Partial<MailRecord> {
  const { state, type, subType, progress, mails, route, relay, lane, finishedAt, failed } = record;
  const fields = { state, type, subType, progress, mails, route, relay, lane, finishedAt, failed };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<MailRecord>;
}

function endedFields(record: MailRecord): UpdateFilter<MailRecord> {
  if (record.open === true) return {};
  return {
    $unset: { open: "", endpoint: "", ...(record.awaitsNotification === true ? {} : { awaitsNotification: "" }) },
  };
}

/** The endpoint may have been configured since the mail began. */
function awaitedEnd({ open, awaitsNotification }: MailRecord): Partial<MailRecord> {
  return open !== true && awaitsNotification === true ? { awaitsNotification } : {};
}

function appendOperation(addition: MailRecord): AnyBulkWriteOperation<MailRecord> {
  const filter: Filter<MailRecord> = {
    _id: addition._id,
    open: true,
    erased: { $exists: false },
    progress: { $lte: addition.progress },
    "points.tag": { $nin: addition.points.map(({ tag }) => tag) },
    // An end that no attempt was made for tells of the last one before it.
    ...(addition.attempts.length === 0 ? {} : { "attempts.at": { $nin: addition.attempts.map(({ at }) => at) } }),
  };
  const update: UpdateFilter<MailRecord> = {
    $set: { ...movedFields(addition), ...awaitedEnd(addition) },
    $push: {
      points: { $each: addition.points },
      ...(addition.attempts.length === 0 ? {} : { attempts: { $each: addition.attempts } }),
    },
    $inc: { version: 1 },
    ...endedFields(addition),
  };
  return { updateOne: { filter, update } };
}

function replaceOperation(record: MailRecord): AnyBulkWriteOperation<MailRecord> {
  const { points, attempts, late, version } = record;
  const update: UpdateFilter<MailRecord> = {
    $set: { ...movedFields(record), points, attempts, version, ...(late === undefined ? {} : { late }) },
    ...endedFields(record),
  };
  return { updateOne: { filter: { _id: record._id, version: version - 1 }, update } };
}

function noteOperations({ mailIds, note, settled }: NoteOfMails): AnyBulkWriteOperation<MailRecord>[] {
  const others = mailIds.filter((mailId) => !settled.includes(mailId));
  // A note that is written again is the same one.
  const push: UpdateFilter<MailRecord> = { $addToSet: { notifications: note } };
  const byIds = (ids: readonly string[], update: UpdateFilter<MailRecord>): AnyBulkWriteOperation<MailRecord>[] => {
    const [only] = ids;
    if (only === undefined) return [];
    if (ids.length === 1) return [{ updateOne: { filter: { _id: only }, update } }];
    return [{ updateMany: { filter: { _id: { $in: [...ids] } }, update } }];
  };
  return [...byIds(others, push), ...byIds(settled, { ...push, $unset: { awaitsNotification: "" } })];
}

async function insertNew(mails: Collection<MailRecord>, records: readonly MailRecord[]): Promise<ReadonlySet<string>> {
  if (records.length === 0) return new Set();
  try {
    await mails.insertMany([...records], { ordered: false });
    return new Set();
  } catch (error) {
    return new Set(refusedAsDuplicates(error).map((index) => records[index]?._id ?? ""));
  }
}

async function update(mails: Collection<MailRecord>, operations: AnyBulkWriteOperation<MailRecord>[]): Promise<number> {
  if (operations.length === 0) return 0;
  return (await mails.bulkWrite(operations, { ordered: false })).matchedCount;
}

export function createMailWriter(store: Store): MailWriter {
  const mails = mailsOf(store);
  return {
    insert: (records) => guard(() => insertNew(mails, records)),
    append: (additions) => guard(() => update(mails, additions.map(appendOperation))),
    load: (mailIds) =>
      guard(async () => {
        const found = mails.find({ _id: { $in: [...mailIds] } }, { readConcern: { level: "local" } });
        return new Map((await found.toArray()).map((record) => [record._id, record]));
      }),
    replace: (records) => guard(() => update(mails, records.map(replaceOperation))),
    settle: (mailIds) =>
      guard(async () => {
        if (mailIds.length === 0) return;
        await mails.updateMany({ _id: { $in: [...mailIds] } }, { $unset: { awaitsNotification: "" } });
      }),
    erasedOf: (mailIds) =>
      guard(async () => new Set(await mails.distinct("_id", { _id: { $in: [...mailIds] }, erased: true }))),
    note: (notes) => guard(async () => void (await update(mails, notes.flatMap(noteOperations)))),
  };
}
