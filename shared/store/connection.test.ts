import { MongoBulkWriteError, MongoNetworkError, MongoServerError } from "mongodb";
import { expect, it, onTestFinished, vi } from "vitest";
import { isRetriable } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";
import { connectStore, guard, isFault } from "./connection.ts";

it("takes a bulk write that lost its connection for a database that is away", () => {
  const lost = new MongoNetworkError("read ECONNRESET");
  const bulk = Object.assign(Object.create(MongoBulkWriteError.prototype) as MongoBulkWriteError, {
    errorResponse: lost,
  });
  Object.defineProperty(bulk, "message", { value: "read ECONNRESET" });
  expect(isFault(bulk)).toBe(true);
});

it("takes a bulk write that missed its majority for a database that is away, whatever else it met", () => {
  const missed = { code: 189, errmsg: "Primary stepped down while waiting for replication" };
  const bulk = Object.assign(Object.create(MongoBulkWriteError.prototype) as MongoBulkWriteError, {
    code: 11_000,
    result: { getWriteConcernError: () => missed },
  });
  expect(isFault(bulk)).toBe(true);
});

it("takes a duplicate key for the request's own mistake", () => {
  expect(isFault(new MongoServerError({ message: "E11000 duplicate key", code: 11_000 }))).toBe(false);
});

it.each([
  [13, 'not authorized on waypost to execute command { insert: "outcomes" }'],
  [18, "Authentication failed."],
  [43, "cursor id 123 not found"],
  [50, "operation exceeded time limit"],
  [189, "Primary stepped down while waiting for replication"],
  [371, "User writes blocked"],
  [13_436, "node is not in primary or recovering state"],
])("takes the answer %i for a database that is away: it says nothing of the request", async (code, message) => {
  const answered = guard(() => Promise.reject(new MongoServerError({ message, code })));
  await expect(answered).rejects.toSatisfy(isRetriable);
  await expect(answered).rejects.toThrow(/^MongoDB does not serve: \w+$/);
});

it("takes what the socket throws while a command is written for a database that is away", () => {
  const written = Object.assign(new Error("write ECONNRESET"), { code: "ECONNRESET", errno: -104, syscall: "write" });
  expect(isFault(written)).toBe(true);
});

it("takes an answer that never comes for a database that is away", async () => {
  const unanswered = guard(() => new Promise<never>(() => undefined), 20);
  await expect(unanswered).rejects.toSatisfy(isRetriable);
  await expect(unanswered).rejects.toThrow("MongoDB did not answer within 0.02 s");
});

it("says why it does not connect", async () => {
  const uri = "mongodb://127.0.0.1/waypost?tls=true&tlsCAFile=/nowhere/authority.pem";
  const store = connectStore(uri, createLog("test", "silent"));
  onTestFinished(() => store.close());
  await vi.waitUntil(() => store.failure !== undefined);
  expect(store.failure).toContain("/nowhere/authority.pem");
});
