import { MongoBulkWriteError, MongoNetworkError, MongoServerError } from "mongodb";
import { expect, it } from "vitest";
import { isFault } from "./connection.ts";

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
