// Who submits: HTTP Basic and SMTP AUTH by password, or a source IP that an account lists. Failures are limited over
// both together (operator contract, REST submission): 10 a minute for an account from an address, 200 for the address.
import type { PasswordVerifier } from "#shared/passwords.ts";
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import { normalAddress } from "./client-address.ts";
import type { FailedLogins } from "./failed-logins.ts";
import { createSourceAccounts } from "./source-accounts.ts";

export type Authentication =
  | { kind: "known"; account: Account }
  /** No such account, a removed one, or another password; which of them is told to nobody. */
  | { kind: "wrong" }
  /** The right password from an address that the account doesn't list. */
  | { kind: "foreign-address" }
  | { kind: "limited"; retryAfterSeconds: number };

export interface Login {
  account: string;
  password: string;
  /** The client's address, in any of its forms. */
  address: string;
}

export interface Authenticator {
  /** Throws ConfigurationStale when the accounts could not be confirmed. */
  byPassword(login: Login): Promise<Authentication>;
  /** The accounts that list this address, none where nobody does. */
  bySourceIp(address: string, configuration: Configuration): readonly Account[];
}

export interface AuthenticatorParts {
  configuration: Confirmable;
  verifier: PasswordVerifier;
  failures: FailedLogins;
}

function accountIn(configuration: Configuration, login: Login): Account | undefined {
  const account = configuration.account(login.account);
  return account?.removedAt === undefined ? account : undefined;
}

export function createAuthenticator({ configuration, verifier, failures }: AuthenticatorParts): Authenticator {
  const sourceAccounts = createSourceAccounts();
  const bySourceIp: Authenticator["bySourceIp"] = (address, current) => sourceAccounts(current, address);
  const verified = async (login: Login, account: Account | undefined): Promise<Account | undefined> =>
    (await verifier.verify(account, login.password)) ? account : undefined;
  /** Who is refused is so by a configuration that was confirmed since: the account, or its password, may be a moment old. */
  const accountOf = async (login: Login): Promise<Account | undefined> => {
    const known = accountIn(configuration.current(), login);
    const found = await verified(login, known);
    if (found !== undefined) return found;
    // Before anything is waited for: guesses that run beside this one are not to pass in the meantime.
    failures.count(login.account, login.address);
    const newest = accountIn(await configuration.confirmed(), login);
    const late = newest === known ? undefined : await verified(login, newest);
    if (late !== undefined) failures.forgive(login.account, login.address);
    return late;
  };
  return {
    byPassword: async (given) => {
      const login = { ...given, address: normalAddress(given.address) };
      const retryAfterSeconds = failures.blockedFor(login.account, login.address);
      if (retryAfterSeconds !== undefined) return { kind: "limited", retryAfterSeconds };
      const account = await accountOf(login);
      if (account === undefined) return { kind: "wrong" };
      // Guesses that ran beside the last failures are told nothing.
      const meanwhile = failures.blockedFor(login.account, login.address);
      if (meanwhile !== undefined) return { kind: "limited", retryAfterSeconds: meanwhile };
      const listing = account.sourceIps.length === 0 ? [account] : bySourceIp(login.address, configuration.current());
      const isHome = listing.some(({ _id }) => _id === account._id);
      return isHome ? { kind: "known", account } : { kind: "foreign-address" };
    },
    bySourceIp,
  };
}
