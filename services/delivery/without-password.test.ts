import { expect, it } from "vitest";
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
