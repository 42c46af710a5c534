import { expect, it } from "vitest";
import { configurationOf } from "#shared/store/configuration.ts";
import type { Account, Configuration } from "./configuration.ts";
import { findConfirmed } from "./find-confirmed.ts";

const account = { _id: "acme", customerNo: "1" } as Account;
const none = configurationOf({});
const known = configurationOf({ accounts: [account] });
const find = (configuration: Configuration): Account | undefined => configuration.account("acme");

it("finds what is known without asking anybody", async () => {
  const port = { current: () => known, confirmed: () => Promise.reject(new Error("asked")) };
  expect(await findConfirmed(port, find)).toBe(account);
});

it("finds what was made a moment ago", async () => {
  expect(await findConfirmed({ current: () => none, confirmed: async () => known }, find)).toBe(account);
});

it("finds nothing where a confirmed configuration has nothing", async () => {
  expect(await findConfirmed({ current: () => none, confirmed: async () => none }, find)).toBeUndefined();
});
