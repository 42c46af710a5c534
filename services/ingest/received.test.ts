import { expect, it } from "vitest";
import type { ReceivedFacts } from "./received.ts";
import { receivedLine } from "./received.ts";

const facts: ReceivedFacts = {
  helo: "client.example",
  remoteAddress: "192.0.2.7",
  hostname: "waypost.example",
  isEsmtp: true,
  isSecure: true,
  isAuthenticated: true,
  isSmtpUtf8: false,
  id: "6f1a",
  at: new Date("2026-11-24T20:18:00Z"),
};

it("says from whom, by whom, how, as what and when", () => {
  expect(receivedLine(facts)).toBe(
    "Received: from client.example ([192.0.2.7])\r\n" +
      "\tby waypost.example with ESMTPSA id 6f1a;\r\n" +
      "\tTue, 24 Nov 2026 20:18:00 +0000\r\n",
  );
});

it.each([
  [{ isEsmtp: false, isSecure: false, isAuthenticated: false }, "with SMTP id"],
  [{ isSecure: false, isAuthenticated: false }, "with ESMTP id"],
  [{ isAuthenticated: false }, "with ESMTPS id"],
  [{ isSmtpUtf8: true }, "with UTF8SMTPSA id"],
])("names the protocol of %j", (change, expected) => {
  expect(receivedLine({ ...facts, ...change })).toContain(expected);
});

it.each(["a b", "x)\r\nBcc: y", "", "ü.example", "(comment)"])("does not let the name %j out of its place", (helo) => {
  expect(receivedLine({ ...facts, helo })).toContain("from unknown ([192.0.2.7])\r\n");
});

it("writes an IPv6 address as a literal", () => {
  expect(receivedLine({ ...facts, remoteAddress: "2001:db8::1" })).toContain("([IPv6:2001:db8::1])");
});
