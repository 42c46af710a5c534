import { PassThrough, Readable } from "node:stream";
import { expect, it } from "vitest";
import { confirmed } from "./confirmed.ts";

it.each([
  [["y\n"], true],
  [["YES\n"], true],
  [["y"], true],
  [["\n"], false],
  [["no\ny\n"], false],
  [[], false],
])("takes %j for %s", async (typed, isSure) => {
  expect(await confirmed("Sure? ", { input: Readable.from(typed), output: new PassThrough() })).toBe(isSure);
});
