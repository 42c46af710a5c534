// Whose job an SMTP transaction is: the account that logged in, or one that lists the client's address. The sender's
// domain must be the account's; under a null reverse-path the header From is the sender (contract, Relay Service 7).
import type { Account, Configuration } from "#shared/routing/configuration.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import type { Refusal } from "./smtp-refusal.ts";
import { AUTHENTICATION_REQUIRED, refusal } from "./smtp-refusal.ts";

export type SenderResult = { ok: true; account: Account } | { ok: false; refusal: Refusal };

const refuse = (found: Refusal): SenderResult => ({ ok: false, refusal: found });

/** Who may be sending: the account that logged in alone, otherwise all that list the address. */
export interface Candidates {
  configuration: Configuration;
  /** Name of the account that logged in. */
  user: string | undefined;
  /** Accounts that list the client's address. */
  bySource: readonly Account[];
}

export function candidatesOf({ configuration, user, bySource }: Candidates): readonly Account[] {
  if (user === undefined) return bySource;
  const account = configuration.account(user);
  return account === undefined || account.removedAt !== undefined ? [] : [account];
}

function owns(configuration: Configuration, account: Account, domain: string | undefined): boolean {
  return domain !== undefined && configuration.domain(account._id, domain) !== undefined;
}

/** At MAIL: whether this client may send as `path`. Under the null path that is only known with the header. */
export function checkMail(who: Candidates, path: string): Refusal | undefined {
  const candidates = candidatesOf(who);
  if (candidates.length === 0)
    return who.user === undefined ? AUTHENTICATION_REQUIRED : refusal(550, "5.7.1", "the account is gone");
  if (path === "") return undefined;
  const found = senderOf(who, path);
  return found.ok ? undefined : found.refusal;
}

/** The account that sends as `sender`; where several list the address, the one that owns its domain counts. */
export function senderOf(who: Candidates, sender: string): SenderResult {
  const candidates = candidatesOf(who);
  if (candidates.length === 0) return refuse(AUTHENTICATION_REQUIRED);
  const domain = domainOf(sender);
  const account = candidates.find((candidate) => owns(who.configuration, candidate, domain));
  if (account !== undefined) return { ok: true, account };
  return refuse(refusal(550, "5.7.1", `the sender domain ${domain ?? ""} is not one of the account's`));
}
