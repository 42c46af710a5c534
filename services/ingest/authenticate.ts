// Who submits: HTTP Basic and SMTP AUTH by password, or a source IP that an account lists. Failures are limited over
// both together (operator contract, REST submission): 10 a minute for an account from an address, 200 for the address.
import type { PasswordVerifier } from "#shared/passwords.ts";
import type { Account, ConfigurationPort } from "#shared/routing/configuration.ts";
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
  /** The client's address. */
  address: string;
}

export interface Authenticator {
  /** Throws ConfigurationStale when the accounts could not be confirmed. */
  byPassword(login: Login): Promise<Authentication>;
  /** The accounts that list this address, none where nobody does. Throws ConfigurationStale. */
  bySourceIp(address: string): readonly Account[];
}

export interface AuthenticatorParts {
  configuration: Pick<ConfigurationPort, "current">;
  verifier: PasswordVerifier;
  failures: FailedLogins;
}

export function createAuthenticator({ configuration, verifier, failures }: AuthenticatorParts): Authenticator {
  const sourceAccounts = createSourceAccounts();
  const bySourceIp = (address: string): readonly Account[] => sourceAccounts(configuration.current(), address);
  return {
    byPassword: async (login) => {
      const found = configuration.current().account(login.account);
      const account = found?.removedAt === undefined ? found : undefined;
      const retryAfterSeconds = failures.blockedFor(login.account, login.address);
      if (retryAfterSeconds !== undefined) return { kind: "limited", retryAfterSeconds };
      const isRight = await verifier.verify(account, login.password);
      if (!isRight || account === undefined) {
        failures.count(login.account, login.address);
        return { kind: "wrong" };
      }
      // Guesses that ran beside the last failures are told nothing.
      const meanwhile = failures.blockedFor(login.account, login.address);
      if (meanwhile !== undefined) return { kind: "limited", retryAfterSeconds: meanwhile };
      const isHome = account.sourceIps.length === 0 || bySourceIp(login.address).some(({ _id }) => _id === account._id);
      return isHome ? { kind: "known", account } : { kind: "foreign-address" };
    },
    bySourceIp,
  };
}
