import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { createSealer } from "#shared/secrets.ts";
import { replayedUserHeaders, replayedUserOf } from "./replayed-user.ts";

const sealer = createSealer(randomBytes(32));

it("tells the user of a replay", () => {
  expect(replayedUserOf(replayedUserHeaders("acme-app", sealer), sealer)).toBe("acme-app");
});

it.each([
  ["no header", {}],
  ["a user in clear", { "waypost-replayed-user": "acme-app" }],
  ["a header of another key", replayedUserHeaders("acme-app", createSealer(randomBytes(32)))],
  [
    "a secret sealed for something else",
    { "waypost-replayed-user": sealer.seal(JSON.stringify({ userId: "acme-app" })) },
  ],
])("believes nothing that control did not make: %s", (_, headers) => {
  expect(replayedUserOf(headers, sealer)).toBeUndefined();
});
