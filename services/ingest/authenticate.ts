// Who submits: HTTP Basic and SMTP AUTH by password, or a source IP that an account lists. Failures are limited over
// both together (operator contract, REST submission): 10 a minute for an account from an address, 200 for the address.
import type { PasswordVerifier } from "#shared/passwords.ts";
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import { ACCOUNT_NAME } from "#shared/routing/configuration.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import { findConfirmed } from "#shared/routing/find-confirmed.ts";
import { normalAddress } from "./client-address.ts";
import type { FailedLogins } from "./failed-logins.ts";
import { createLoginPlaces } from "./login-places.ts";
import { createSourceAccounts } from "./source-accounts.ts";

export type Authentication =
  | { kind: "known"; account: Account }
  /** No such account, a removed one, or another password; which of them is told to nobody. */
  | { kind: "wrong" }
  /** The right password from an address that the account doesn't list. */
  | { kind: "foreign-address" }
  /** Too many failures, or too many logins at once. */
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

/** Names that no account has are one: they would be remembered by the thousand, at any length. */
function comparable(login: Login): Login {
  const account = ACCOUNT_NAME.test(login.account) ? login.account : "";
  return { ...login, account, address: normalAddress(login.address) };
}

const BUSY_SECONDS = 1;

export function createAuthenticator({ configuration, verifier, failures }: AuthenticatorParts): Authenticator {
  const places = createLoginPlaces(failures);
  const sourceAccounts = createSourceAccounts();
  const bySourceIp: Authenticator["bySourceIp"] = (address, current) => sourceAccounts(current, address);
  const limited = ({ account, address }: Login): Authentication | undefined => {
    const retryAfterSeconds = failures.blockedFor(account, address);
    return retryAfterSeconds === undefined ? undefined : { kind: "limited", retryAfterSeconds };
  };
  /** Whether the password is the account's; undefined where there is no place to find out. A failure is counted. */
  const matches = async (login: Login, account: Account | undefined): Promise<boolean | undefined> => {
    let isCounted = false;
    const counted = (found: boolean | undefined): boolean | undefined => {
      if (found === false && !isCounted) failures.count(login.account, login.address);
      isCounted = true;
      return found;
    };
    // Counted before the place is given to the next, and before anything else is waited for.
    return counted(
      await verifier.verify(account, login.password, (hash) => places.within(login, async () => counted(await hash()))),
    );
  };
  /** Who is refused is so by a configuration that was confirmed since: the account, or its password, may be a moment old. */
  const confirmed = async (login: Login, known: Account | undefined): Promise<Account | undefined> => {
    const newest = accountIn(await configuration.confirmed(), login);
    if (newest === known || (await verifier.verify(newest, login.password)) !== true) return undefined;
    failures.forgive(login.account, login.address);
    return newest;
  };
  const accountOf = async (login: Login): Promise<Account | "no-place" | undefined> => {
    const known = accountIn(configuration.current(), login);
    const found = await matches(login, known);
    if (found === undefined) return "no-place";
    return found ? known : confirmed(login, known);
  };
  /** The account where it submits from the address, as it lists that now; its list may be a moment old, too. */
  const submitsFrom = (address: string, { _id }: Account): Promise<Account | undefined> =>
    findConfirmed(configuration, (current) => {
      const account = current.account(_id);
      return account?.sourceIps.length === 0 ? account : bySourceIp(address, current).find((one) => one._id === _id);
    });
  return {
    byPassword: async (given) => {
      const login = comparable(given);
      const before = limited(login);
      if (before !== undefined) return before;
      const account = await accountOf(login);
      if (account === undefined) return { kind: "wrong" };
      // Guesses that ran beside the last failures are told nothing.
      const meanwhile = limited(login);
      if (meanwhile !== undefined) return meanwhile;
      if (account === "no-place") return { kind: "limited", retryAfterSeconds: BUSY_SECONDS };
      const home = await submitsFrom(login.address, account);
      return home === undefined ? { kind: "foreign-address" } : { kind: "known", account: home };
    },
    bySourceIp,
  };
}
