import { MongoBulkWriteError } from "mongodb";
import { expect, it } from "vitest";
import { refusedAsDuplicates } from "./refused-as-duplicates.ts";

function bulkError(
  failures: { index: number; code: number }[],
  writeConcern?: { errmsg: string },
): MongoBulkWriteError {
  const error = Object.create(MongoBulkWriteError.prototype) as MongoBulkWriteError;
  return Object.assign(error, { writeErrors: failures, result: { getWriteConcernError: () => writeConcern } });
}

it("tells which documents a unique index refused", () => {
  const failures = [1, 4].map((index) => ({ index, code: 11_000 }));
  expect(refusedAsDuplicates(bulkError(failures))).toEqual([1, 4]);
});

it.each([
  [
    "another write failed beside",
    bulkError([
      { index: 0, code: 11_000 },
      { index: 1, code: 121 },
    ]),
  ],
  ["the majority was missed beside", bulkError([{ index: 0, code: 11_000 }], { errmsg: "waiting for replication" })],
  ["nothing was refused", bulkError([])],
  ["it is another error", new Error("away")],
])("throws what it was given when %s", (_what, error) => {
  expect(() => refusedAsDuplicates(error)).toThrow(error);
});
