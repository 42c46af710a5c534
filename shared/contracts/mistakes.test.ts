import { expect, it } from "vitest";
import { z } from "zod";
import { dottedPath, MOST_MISTAKES, mistakesOf } from "./mistakes.ts";

it.each([
  [[], "."],
  [["customerNo"], "customerNo"],
  [["recipients", 3, "mail", "to", 0, "email"], "recipients[3].mail.to[0].email"],
])("writes the path %j as %s", (path, text) => {
  expect(dottedPath(path)).toBe(text);
});

it("names every mistake at its path, unknown and missing keys included", () => {
  const schema = z.strictObject({
    name: z.string(),
    inner: z.strictObject({ list: z.array(z.int({ error: "a whole number" })) }),
  });
  const input: unknown = JSON.parse('{"inner":{"list":[1,"x"],"$where":1},"__proto__":{}}');
  const { error } = schema.safeParse(input);
  expect(error === undefined ? [] : mistakesOf(error)).toEqual([
    { path: "name", message: "required" },
    { path: "inner.list[1]", message: "a whole number" },
    { path: "inner.$where", message: "unknown key" },
    { path: "__proto__", message: "unknown key" },
  ]);
});

it("says what is wrong with a key of a free map", () => {
  const schema = z.record(z.string().regex(/^[a-z]+$/, { error: "letters" }), z.string());
  const { error } = schema.safeParse({ A1: "x" });
  expect(error === undefined ? [] : mistakesOf(error)).toEqual([{ path: "A1", message: "letters" }]);
});

it("names the first ten thousand of more mistakes, whether of values or of keys", () => {
  const keys = Object.fromEntries(Array.from({ length: MOST_MISTAKES }, (_, index) => [`k${index}`, 0]));
  const schema = z.strictObject({ list: z.array(z.string()) });
  const { error } = schema.safeParse({ list: Array.from({ length: 20 }, () => 0), ...keys });
  const mistakes = error === undefined ? [] : mistakesOf(error);
  expect(mistakes).toHaveLength(MOST_MISTAKES);
  expect(mistakes.slice(19, 21).map(({ path }) => path)).toEqual(["list[19]", "k0"]);
});
