import { MongoBulkWriteError, MongoNetworkError, MongoServerError } from "mongodb";
import { expect, it } from "vitest";
import { isRetriable } from "#shared/errors.ts";
import { guard, isFault } from "./connection.ts";

it("takes a bulk write that lost its connection for a database that is away", () => {
  const lost = new MongoNetworkError("read ECONNRESET");
  const bulk = Object.assign(Object.create(MongoBulkWriteError.prototype) as MongoBulkWriteError, {
    errorResponse: lost,
  });
  Object.defineProperty(bulk, "message", { value: "read ECONNRESET" });
  expect(isFault(bulk)).toBe(true);
});

it("takes a duplicate key for the request's own mistake", () => {
  expect(isFault(new MongoServerError({ message: "E11000 duplicate key", code: 11_000 }))).toBe(false);
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
