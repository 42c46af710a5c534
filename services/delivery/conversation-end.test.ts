import { expect, it } from "vitest";
import { outcomeOf } from "#shared/life/outcome.ts";
import { endOfConnect } from "./conversation-end.ts";

const peer = { host: "relay.example.net", address: "192.0.2.1", port: 25 };
const connectError = (code: string) => Object.assign(new Error(code), { code });

it.each([
  ["ECONNREFUSED", "4.4.1"],
  ["ETIMEDOUT", "4.4.1"],
  ["EHOSTUNREACH", "4.4.1"],
  ["ECONNRESET", "4.4.2"],
  ["EADDRNOTAVAIL", "4.3.5"],
])("a connect that fails with %s is told as %s", (code, enhancedStatus) => {
  const outcome = outcomeOf(endOfConnect(connectError(code), peer));
  expect(outcome).toMatchObject({ status: "deferred", enhancedStatus });
  expect(outcome.text).toContain("relay.example.net[192.0.2.1]:25");
});
