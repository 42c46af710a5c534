import { expect, it } from "vitest";
import { expiriesOf, levelOf, secondsLeft } from "./certificates.ts";

const NOW = new Date("2026-08-01T00:00:00Z");
const DAY_MS = 24 * 3_600_000;
const inDays = (days: number, isSigning = true) => ({
  account: "acme",
  domain: "example.com",
  notAfter: new Date(NOW.getTime() + days * DAY_MS),
  isSigning,
});

it.each([
  [31, true, "fine"],
  [30, true, "soon"],
  [0.1, true, "soon"],
  [0, true, "expired"],
  [-1, true, "expired"],
  [-1, false, "fine"],
])("takes a certificate with %d days left, signing %s, for %s", (days, isSigning, level) => {
  expect(levelOf(inDays(days, isSigning), NOW)).toBe(level);
});

it("leaves out domains without a certificate and what cannot be read", () => {
  const domain = { _id: "a/b", account: "a", domain: "b", messageSigning: false };
  expect(expiriesOf([domain, { ...domain, signing: { certificate: "no PEM", privateKey: "" } }])).toEqual([]);
});

it("alarms of no certificate whose domain does not sign: its mails are sent all the same", () => {
  const labels = { account: "acme", domain: "example.com" };
  expect(secondsLeft([inDays(-1, false), inDays(1)], NOW)).toEqual([{ seconds: DAY_MS / 1_000, labels }]);
});
