// The sender's domain must be one of the account's: a mistake like any other (operator contract, REST submission).
import type { Mistake } from "#shared/contracts/problem.ts";
import { domainOf } from "#shared/email/domain-name.ts";
import type { Account } from "#shared/routing/configuration.ts";
import type { Confirmable } from "#shared/routing/find-confirmed.ts";
import { findConfirmed } from "#shared/routing/find-confirmed.ts";

/** What is wrong with a sender's bare address: nothing, or that it isn't the account's. */
export async function mistakesOfSender(
  configuration: Confirmable,
  account: Account,
  address: string,
): Promise<Mistake[]> {
  const domain = domainOf(address);
  const isOwn =
    domain !== undefined && (await findConfirmed(configuration, (current) => current.domain(account._id, domain)));
  return isOwn ? [] : [{ path: "mail.from.email", message: `not a sender domain of the account ${account._id}` }];
}
