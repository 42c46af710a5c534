// An account that is not known here, and why: there is none, or it was made so lately that this process has not heard of it.
import { ConfigurationStale } from "#shared/errors.ts";
import type { Account, Configuration } from "./configuration.ts";

/** A change of the configuration counts within this time: an account that something younger names may still be on its way here. */
const CHANGE_COUNTS_MS = 2_000;

/**
 * The account that something made `sinceMs` ago names, or undefined where there is none.
 *
 * @throws ConfigurationStale where it may not have reached this process yet.
 */
export function knownAccount(configuration: Configuration, name: string, sinceMs: number): Account | undefined {
  const account = configuration.account(name);
  if (account === undefined && sinceMs < CHANGE_COUNTS_MS)
    throw new ConfigurationStale(`the account ${name} has not reached this process`);
  return account;
}
