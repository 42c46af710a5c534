import { expect, it } from "vitest";
import { failureOf } from "./link.ts";

it.each([
  ["amqp://user:secret@broker/way%2Fpost", "way/post"],
  ["amqp://user:secret@broker", "/"],
])("says of %s which virtual host the broker refuses, and nothing of a password", (url, name) => {
  const error = new Error("Expected ConnectionOpenOk; got <ConnectionClose channel:0>");
  expect(failureOf(error, url)).toBe(
    `the broker refuses the virtual host ${name}: is it there, and may the user use it?`,
  );
});

it("says otherwise what the client does", () => {
  expect(failureOf(new Error("connect ECONNREFUSED 127.0.0.1:5672"), "amqp://broker")).toBe(
    "connect ECONNREFUSED 127.0.0.1:5672",
  );
});
