import { expect, it } from "vitest";
import { jobRequestSchema } from "./job-request.ts";
import { mistakesOf } from "./mistakes.ts";

const job = {
  subject: { content: "Hello" },
  recipients: [{ mail: { to: [{ email: "to@example.com" }] } }],
  mail: { from: { email: "a@acme.example" } },
};
const authentication = { method: "BASIC", user: "u", password: "p" };
const ALTERNATIVE = "alternative";
const AUTHORIZATION = "notification.endPoint.headers.Authorization";

const pathsOf = (parts: object): string[] => {
  const { error } = jobRequestSchema.safeParse({ ...job, ...parts });
  return error === undefined ? [] : mistakesOf(error).map(({ path }) => path);
};

const endPoint = (details: object) => ({ notification: { endPoint: { authentication, ...details } } });

it.each([
  [{ alternative: { content: "t" }, subject: {} }, ["subject.content", ALTERNATIVE]],
  [{ alternative: { content: "t" }, body: { content: "" } }, ["body.content", ALTERNATIVE]],
  [{ recipients: [{ mail: { priority: "X" } }] }, ["recipients[0].mail.priority", "recipients[0].mail"]],
  [endPoint({ url: "x", headers: { Authorization: "a" } }), ["notification.endPoint.url", AUTHORIZATION]],
])("names what does not go together beside other mistakes: %j", (parts, paths) => {
  expect(pathsOf(parts)).toEqual(paths);
});

it.each([
  [{ subject: { content: "s".repeat(501), charset: "none" } }, ["subject.charset", "subject.content"]],
  [{ subject: { content: "s".repeat(501), key: 1 } }, ["subject.key", "subject.content"]],
  [{ subject: { content: "a\nb", contentEncoding: "8bit" } }, ["subject.contentEncoding"]],
  [{ body: { content: "!", contentEncoding: "base64", charset: "none" } }, ["body.charset", "body.content"]],
  [{ body: { content: "!", contentEncoding: "base64", contentType: "x" } }, ["body.contentType", "body.content"]],
  [{ body: { content: "", contentEncoding: "base64", charset: "none" } }, ["body.content", "body.charset"]],
  [{ body: { content: "/w==", contentEncoding: "base64", charset: "none" } }, ["body.charset"]],
])("names what is wrong with a content beside other mistakes of its fields (%#)", (parts, paths) => {
  expect(pathsOf(parts)).toEqual(paths);
});

it.each([
  [{ alternative: { content: "t" }, body: "x" }, "body"],
  [{ alternative: { content: "t" }, body: null }, "body"],
  [{ alternative: { content: "t" }, body: { contentType: "text/html", content: "" } }, "body.content"],
  [{ alternative: { content: "t" }, body: { contentType: "text/x", content: "b" } }, "body.contentType"],
  [{ recipients: [{ mail: { to: null } }] }, "recipients[0].mail.to"],
  [{ recipients: [{ mail: [] }] }, "recipients[0].mail"],
  [endPoint({ url: "https://c.example", headers: "Authorization" }), "notification.endPoint.headers"],
])("names one mistake once: %j", (parts, path) => {
  expect(pathsOf(parts)).toEqual([path]);
});

it.each([
  ["text/plain", true],
  ['text/calendar ; method=REQUEST;charset = "UTF-8";', true],
  ['application/pdf; name="a;\\"b"; x=ü y', true],
  ["text/plain; flag", true],
  [`text/plain;${" ".repeat(16_000)}é=x`, false],
  ["text/plain; é=x", false],
  ["text/plain; a b=x", false],
  ['text/plain; a="x', false],
  ["text/plain; =x", false],
  ["text", false],
  ["text/plain\u00a0", false],
  ["text/plain;\u2028a=x", false],
])("takes an attachment of type %j: %s", (contentType, isTaken) => {
  const attachments = [{ name: "a", contentType, content: "aGk=" }];
  expect(pathsOf({ attachments })).toEqual(isTaken ? [] : ["attachments[0].contentType"]);
});

it("an option that is ignored has a value, as every key that is present", () => {
  const options = { future: null, other: "", flag: false, more: { x: 1 } };
  expect(pathsOf({ job: { options } })).toEqual(["job.options.future", "job.options.other"]);
});
