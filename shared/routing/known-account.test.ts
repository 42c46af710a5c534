import { expect, it } from "vitest";
import { configurationOf } from "#shared/store/configuration.ts";
import { knownAccount } from "./known-account.ts";

const account = { _id: "acme", customerNo: "1", sourceIps: [], limits: { waitingMails: 1 } };
const configuration = configurationOf({ accounts: [account] });

it("answers an account that is known, however young what names it", () => {
  expect(knownAccount(configuration, "acme", 0)).toBe(account);
});

it("waits for one that may still be on its way", () => {
  expect(() => knownAccount(configuration, "other", 1_999)).toThrow(
    expect.objectContaining({ code: "CONFIGURATION_STALE", retriable: true }) as Error,
  );
});

it("says that there is none once it would have come", () => {
  expect(knownAccount(configuration, "other", 2_000)).toBeUndefined();
});
