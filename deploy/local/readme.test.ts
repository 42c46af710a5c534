// The README's tables are those of the code, and every table cell that the formatter pads still is.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./instance.ts";
import { isCurrent } from "./readme.ts";

const readme = readFileSync(join(ROOT, "README.md"), "utf8");

test("the README's configuration and error tables are equal to the code", () => {
  expect(isCurrent(readme)).toBe(true);
});

test("a changed default is noticed", () => {
  expect(isCurrent(readme.replace("`8080`", "`8088`"))).toBe(false);
});

test("a missing error code is noticed", () => {
  expect(isCurrent(readme.replace(/^\| `UNROUTABLE`.*\n/m, ""))).toBe(false);
});
