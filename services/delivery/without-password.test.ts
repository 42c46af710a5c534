import { expect, it } from "vitest";
import { parseReply } from "#shared/email/reply.ts";
import { withoutPassword } from "./without-password.ts";

const login = { user: "waypost", password: "s3cret!" };
const plain = Buffer.from("\u0000waypost\u0000s3cret!").toString("base64");
const ofLogin = Buffer.from("s3cret!").toString("base64");

it.each([
  ["500 5.5.1 unrecognized command: AUTH PLAIN " + plain, "500 5.5.1 unrecognized command: AUTH PLAIN ***"],
  [`501 5.5.2 cannot decode ${ofLogin}`, "501 5.5.2 cannot decode ***"],
  ["535 5.7.8 waypost/s3cret! is wrong", "535 5.7.8 waypost/*** is wrong"],
  ["535 5.7.8 authentication failed", "535 5.7.8 authentication failed"],
])("a server that answers a login with %j is quoted as %j", (text, quoted) => {
  expect(withoutPassword(text, login)).toBe(quoted);
});

it("an empty password strikes out nothing", () => {
  expect(withoutPassword("535 no", { user: "waypost", password: "" })).toBe("535 no");
});

it.each([
  ["a long password that is cut in its text", { user: "waypost", password: "k".repeat(900) }],
  ["one with white space that the text has no more", { user: "waypost", password: "two  words\t" }],
])("%s is struck out", (_case, given) => {
  const sent = Buffer.from(`\u0000${given.user}\u0000${given.password}`).toString("base64");
  const quotes = (said: string): string => withoutPassword(parseReply(said)?.text ?? "", given);
  expect(quotes(`500 no such command: AUTH PLAIN ${sent}`)).toMatch(/^500 no such command: AUTH PLAIN \*{3}…?$/);
  expect(quotes(`535 wrong: ${given.password}`)).toMatch(/^535 wrong: \*{3}…?$/);
});
