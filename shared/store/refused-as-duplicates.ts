// What a bulk insert says that met a unique index.
import { MongoBulkWriteError } from "mongodb";

const DUPLICATE_KEY = 11_000;

/**
 * The positions of the documents that a unique index refused, the others being written as the write concern asks;
 * throws `error` when that is not all that went wrong: a majority that was missed must not hide behind a duplicate.
 */
export function refusedAsDuplicates(error: unknown): readonly number[] {
  if (!(error instanceof MongoBulkWriteError)) throw error;
  const failures = [error.writeErrors].flat();
  const isAll = failures.length > 0 && failures.every(({ code }) => code === DUPLICATE_KEY);
  if (!isAll || error.result.getWriteConcernError() !== undefined) throw error;
  return failures.map(({ index }) => index);
}
